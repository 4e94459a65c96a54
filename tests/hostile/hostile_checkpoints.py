"""Checkpoints of a run that is averaged, or gone on with."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hostile_ground as ground
import torch
from hostile_case import Case, Damage, at, both
from hostile_ground import edited, put

AVERAGE = ("average", "run", "--last", "1")


def checkpoints() -> Iterator[Case]:
    """Of a run whose mean is asked for, or that is gone on with."""
    needs = ("run", "train.tsv", *(f"u{number}.wav" for number in range(4)))
    files: dict[str, Damage] = {
        **{name: damage for name, damage in ground.NOT_FILES.items() if name != "circle"},
        "evil-zip": ground.evil_zip,
        "evil-pickle": ground.evil_pickle,
        "evil-legacy": ground.evil_legacy,
        "evil-renamed": lambda path: ground.evil_zip(path, more="x"),
        "empty": ground.written(""),
        "text": ground.written("state_dict"),
        "packed": _packed,
        "overlapping": _overlapping,
        "no-state": lambda path: torch.save({"hello": 1}, path),
        "list": lambda path: torch.save([1, 2], path),
        "state-list": lambda path: torch.save({"state_dict": [1]}, path),
        "state-numbers": lambda path: torch.save({"state_dict": {"a": 1}}, path),
        "hollow": lambda path: torch.save({"state_dict": {"recognizer.x": torch.zeros(1).expand(10**6, 10**6)}}, path),
        "sparse": lambda path: torch.save({"state_dict": {"recognizer.x": torch.eye(3).to_sparse()}}, path),
    }
    for name, damage in files.items():
        step = both(_one_checkpoint, at("run/checkpoints/step=1-wer=50.00.ckpt", damage))
        yield Case(f"average-{name}", needs, step, AVERAGE, r"step=1-wer=50\.00\.ckpt")
    others = {
        "other-state": {"state_dict": {"recognizer.x": torch.zeros(3)}},
        "no-weights": {"state_dict": {}},
        "nan": {"state_dict": {"recognizer.x": torch.full((3,), float("nan"))}},
    }
    for name, content in others.items():
        change = at("run/checkpoints/step=1-wer=50.00.ckpt", lambda path, content=content: torch.save(content, path))
        yield Case(f"average-{name}", needs, both(_one_checkpoint, change), AVERAGE, r"step=1-wer=50\.00\.ckpt")
    half = at("run/checkpoints/step=1-wer=50.00.ckpt", _half)
    yield Case("average-half", needs, both(_one_checkpoint, half), AVERAGE, r"dtype torch.float16")
    yield from _beside(needs)
    for name, damage in {**files, **{name: _saved(content) for name, content in others.items()}}.items():
        often = name in ("evil-zip", "evil-pickle", "fifo", "packed", "other-state")
        last = both(_unfinished, at("run/checkpoints/last.ckpt", damage))
        yield Case(f"resume-{name}", needs, last, ("train", "--resume", "run"), r"last\.ckpt", slow=not often)
    for key, value in {
        "optimizer_states": "x",
        "optimizer_states-other": [{"state": {}, "param_groups": []}],
        "lr_schedulers": [{"x": 1}],
        "loops": {"fit_loop": 3},
        "callbacks": 3,
        "pytorch-lightning_version": ["x"],
    }.items():
        change = at("run/checkpoints/last.ckpt", _changed(key.removesuffix("-other"), value))
        resume = ("train", "--resume", "run")
        yield Case(f"resume-{key}", needs, both(_unfinished, change), resume, r"last\.ckpt", slow=key != "loops")


def _beside(needs: tuple[str, ...]) -> Iterator[Case]:
    """What else a run is gone on with: its overrides, the note of its writer, the rows of its data."""
    resume = ("train", "--resume", "run")
    for name in ("fifo", "folder", "device", "huge"):
        damage = both(_unfinished, at("run/overrides.txt", ground.NOT_FILES[name]))
        yield Case(f"resume-overrides-{name}", needs, damage, resume, r"overrides\.txt")
    for name in ("fifo", "folder", "device", "circle"):
        damage = both(_unfinished, at("run/.writer", ground.NOT_FILES[name]))
        yield Case(f"resume-writer-{name}", needs, damage, resume, r"run")
    others = at("train.tsv", lambda path: path.write_text(path.read_text().replace("a b", "b b")) and None)
    for name in ("fifo", "device", "circle"):
        damage = both(_unfinished, others, at("run/data/train.rows.gz", ground.NOT_FILES[name]))
        yield Case(f"resume-rows-{name}", needs, damage, resume, "train", slow=name != "fifo")
    deep = at("run/data/train.rows.gz", lambda path: path.write_bytes(gzip.compress(b"[" * 100_000)) and None)
    yield Case("resume-rows-deep", needs, both(_unfinished, others, deep), resume, "train", slow=True)


def _saved(content: Any) -> Damage:
    return lambda path: torch.save(content, path)


def _changed(key: str, value: Any) -> Damage:
    def change(path: Path) -> None:
        content = torch.load(path, weights_only=True)
        torch.save({**content, key: value}, path)

    return change


def _half(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    halves = {name: one.half() if one.is_floating_point() else one for name, one in content["state_dict"].items()}
    torch.save({"state_dict": halves}, path)


def _one_checkpoint(work: Path) -> None:
    for path in (work / "run" / "checkpoints").glob("*.ckpt"):
        if path.name != "last.ckpt":
            path.unlink()
    (work / "run" / "checkpoints" / "last.ckpt").rename(work / "run" / "checkpoints" / "step=1-wer=50.00.ckpt")


def _unfinished(work: Path) -> None:
    edited(work / "run" / "card.json", put("status", "unfinished"))
    for path in (work / "run" / "checkpoints").glob("*.ckpt"):
        if path.name != "last.ckpt":
            path.unlink()


def _packed(path: Path) -> None:
    """A zip file of 10 KB that unpacks to 10 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10_000_000)


def _overlapping(path: Path) -> None:
    """A directory of a hundred members that are all the same bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\0" * 100_000)
        info = archive.infolist()[0]
        for number in range(100):
            again = zipfile.ZipInfo(f"archive/{number}")
            again.CRC, again.file_size, again.compress_size = info.CRC, info.file_size, info.compress_size
            again.header_offset = info.header_offset
            archive.filelist.append(again)
            archive.NameToInfo[again.filename] = again
        archive._didModify = True  # type: ignore[attr-defined]
