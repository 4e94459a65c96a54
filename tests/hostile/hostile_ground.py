"""What the hostile cases start from, all of it sound: a bundle, a run, tables, shards; and small hostile files."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import yaml
from comparison_runs import write_run, write_sweep
from safetensors.torch import load_file, save_file
from tiny_recognizer import parts

from lasasr.cli.main import main
from lasasr.models.recognizer import Recognizer
from lasasr.text.character import CharacterTokenizer
from lasasr.text.sentencepiece import SentencePieceTokenizer

RECIPE = "synthetic/las_char"
TABLES = ("corpus=table", "corpus.train=train.tsv", "corpus.dev=train.tsv", "corpus.test=train.tsv")
CUTS = ("corpus=table", "corpus.train=train.jsonl.gz", "corpus.dev=train.jsonl.gz")
SHARDS = ("corpus=shar", "corpus.root=shards")
SMALL = (
    "listen.hidden_dim=4",
    "listen.layers=1",
    "listen.subsampling_factor=2",
    "spell.hidden_dim=4",
    "attend.dim=4",
    "trainer.max_steps=1",
    "trainer.accelerator=cpu",
    "trainer.val_check_interval=1",
    "trainer.check_val_every_n_epoch=1",
    "batching.max_utterances=4",
    "evaluate.maps=0",
    "evaluate.splits=[]",
    "validation.maps=0",
    "search=greedy",
)
TEXT = "a b"


@dataclass(frozen=True)
class Ground:
    """Folders of sound things, which cases copy and damage."""

    folder: Path

    def copy(self, work: Path, *names: str) -> None:
        """Copy some of them into the working folder of a case."""
        for name in names:
            source = self.folder / name
            if source.is_dir():
                shutil.copytree(source, work / name, symlinks=True)
            else:
                shutil.copyfile(source, work / name)


def build(folder: Path) -> Ground:
    """Make them; the working directory is `folder`, and all that the command writes lies in it."""
    tokenizer = CharacterTokenizer.train(["abcd"])
    Recognizer.build(parts(0.4), tokenizer, "none/1").save(folder / "bundle")
    pieces = SentencePieceTokenizer.train(["ab cd abcd dcba"] * 20, vocabulary_size=14)
    Recognizer.build(parts(0.4), pieces, "none/1").save(folder / "pieces")
    random = np.random.default_rng(0)
    rows = ["id\taudio\ttext"]
    for number in range(4):
        soundfile.write(folder / f"u{number}.wav", random.uniform(-0.5, 0.5, 8000), 16_000)
        rows.append(f"u{number}\tu{number}.wav\t{TEXT}")
    (folder / "train.tsv").write_text("\n".join(rows))
    assert main(["train", RECIPE, *TABLES, *SMALL]) == 0
    (run,) = (folder / "runs" / "synthetic" / "las_char").glob("*-s1-*")
    run.rename(folder / "run")
    assert main(["prepare", RECIPE, *TABLES, "--shards", "shards"]) == 0
    compared = [write_run(folder / "compared", attend, seed) for attend in ("dot", "additive") for seed in (1, 2)]
    write_sweep(folder / "compared", compared)
    for name, made in zip(("one", "two"), compared[::2], strict=True):
        shutil.copytree(made.folder, folder / name)
    assert main(["compare", "one", "two", "--out", "comparison.json"]) == 0
    return Ground(folder)


# what hostile files are made of


def edited(path: Path, change: Callable[[Any], Any]) -> None:
    """Change a JSON or YAML file by its content; what `change` returns replaces it, unless that is None."""
    is_json = path.suffix == ".json"
    content = json.loads(path.read_text()) if is_json else yaml.safe_load(path.read_text())
    changed = change(content)
    content = content if changed is None else changed
    path.write_text(json.dumps(content) if is_json else yaml.safe_dump(content))


def put(key: str, value: Any) -> Callable[[Any], None]:
    """A change that sets `a.b.c`."""

    def change(content: Any) -> None:
        *outer, last = key.split(".")
        for part in outer:
            content = content[part]
        content[last] = value

    return change


def drop(key: str) -> Callable[[Any], None]:
    """A change that deletes a key."""

    def change(content: Any) -> None:
        del content[key]

    return change


def fifo(path: Path) -> None:
    """A FIFO that nobody writes to."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def folder(path: Path) -> None:
    """A folder in the place of a file."""
    path.unlink(missing_ok=True)
    path.mkdir()


def endless(path: Path) -> None:
    """A link to a device that never ends."""
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def circle(path: Path) -> None:
    """A link to itself."""
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)


def huge(path: Path) -> None:
    """65 MiB, which take no room on the disk."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(65 << 20)


def written(content: str | bytes) -> Callable[[Path], None]:
    """A file of this content."""

    def write(path: Path) -> None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return write


NOT_FILES: Mapping[str, Callable[[Path], None]] = {
    "fifo": fifo,
    "folder": folder,
    "device": endless,
    "circle": circle,
    "huge": huge,
}
DEEP_JSON = '{"schema": 1, "type": ' + "[" * 100_000 + "]" * 100_000 + "}"
DEEP_150 = '{"schema": 1, "type": ' + "[" * 150 + "]" * 150 + "}"
DIGITS_JSON = '{"schema": ' + "1" * 5000 + "}"
NOT_JSON: Mapping[str, Callable[[Path], None]] = {
    "empty": written(""),
    "no-json": written("{schema: 1"),
    "no-utf8": written(b'{"schema": "\xff\xfe"}'),
    "deep": written(DEEP_JSON),
    "150-levels": written(DEEP_150),
    "digits": written(DIGITS_JSON),
    "list": written("[1, 2]"),
    "null": written("null"),
    "text": written('"schema"'),
}


def laughs(levels: int = 60) -> str:
    """YAML in which every line stands for twice the one before."""
    first = "a0: &a0 [lol, lol]\n"
    return first + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, levels))


def merges(levels: int = 60) -> str:
    """The same by merge keys."""
    first = "a0: &a0 {k: v}\n"
    return first + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, levels))


NOT_YAML: Mapping[str, Callable[[Path], None]] = {
    "empty": written(""),
    "no-yaml": written("a: [1, 2"),
    "no-utf8": written(b"a: \xff\xfe"),
    "control": written("a: \x00"),
    "list": written("- 1\n- 2\n"),
    "number": written("17"),
    "deep": written("a: " + "[" * 50_000 + "]" * 50_000),
    "deep-block": written("".join(" " * n + "a:\n" for n in range(1000))),
    "laughs": written(laughs()),
    "merges": written(merges()),
    "itself": written("a: &a [*a]\n"),
    "twice": written("schema: 1\nschema: 1\n"),
    "call": written("schema: 1\na: !!python/object/apply:os.system ['touch MARK']\n"),
    "name": written("schema: 1\na: !!python/name:os.system\n"),
    "new": written("schema: 1\na: !!python/object/new:os.system ['touch MARK']\n"),
    "date": written("schema: 1\nseed: 2001-01-01\n"),
    "binary": written("schema: 1\nseed: !!binary aGVsbG8=\n"),
    "digits": written(f"schema: 1\nseed: {'1' * 5000}\n"),
    "month": written("schema: 1\nseed: 2001-99-01\n"),
    "long": written("a: " + "x" * (2 << 20)),
    "many": written("a: [" + "1," * 20_000 + "1]"),
}


class Marking:
    """A pickle that leaves a mark where it is read."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch MARK",)


def evil_zip(path: Path, **more: Any) -> None:
    """What torch writes of a dict that holds such a pickle."""
    torch.save({"state_dict": {}, "evil": Marking(), **more}, path)


def evil_pickle(path: Path) -> None:
    """The pickle alone."""
    path.write_bytes(pickle.dumps({"state_dict": Marking()}, protocol=2))


def evil_legacy(path: Path) -> None:
    """In torch's format of before 1.6."""
    torch.save({"state_dict": Marking()}, path, _use_new_zipfile_serialization=False)


def tensors(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the tensors of a model.safetensors."""
    content = {name: value.clone() for name, value in load_file(path).items()}
    change(content)
    save_file(content, path, metadata={"schema": "1"})


def header(path: Path, change: Callable[[dict[str, Any]], Any], length: int | None = None) -> None:
    """Change the header of a model.safetensors, which then may lie."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    told = json.loads(content[8 : 8 + size])
    changed = change(told)
    text = json.dumps(told).encode() if changed is None else changed
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + content[8 + size :])


def shard(work: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None], split: str = "train") -> None:
    """Change the members of the tar file of a split; the list of the shards goes, for it would see that."""
    (work / "shards" / "shards.json").unlink(missing_ok=True)
    path = work / "shards" / split / "recording.000000.tar"
    with tarfile.open(path) as opened:
        files = [(one, opened.extractfile(one)) for one in opened.getmembers()]
        members = [(one, b"" if content is None else content.read()) for one, content in files]
    change(members)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as opened:
        for one, content in members:
            one.size = len(content) if one.isreg() else 0
            opened.addfile(one, io.BytesIO(content))


def described(change: Callable[[dict[str, Any]], None]) -> Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]:
    """A change of the first recording that a shard describes."""

    def apply(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        info, content = members[1]
        recording = json.loads(content)
        change(recording)
        members[1] = (info, json.dumps(recording).encode())

    return apply
