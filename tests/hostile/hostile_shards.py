"""Folders of Lhotse Shar."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hostile_ground as ground
from hostile_case import Case, Damage, at, both
from hostile_cuts import IMPULSE, source
from hostile_ground import RECIPE, SHARDS, SMALL, described, edited, put, shard

PREPARE_SHARDS = ("prepare", RECIPE, *SHARDS)


def shards() -> Iterator[Case]:
    """Folders of Lhotse Shar."""
    needs = ("shards",)
    recordings: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
        "command": (put("sources", source("command", "touch MARK")["sources"]), "in a command, not in its shard"),
        "file": (put("sources", source("file", "/etc/passwd")["sources"]), "in a file, not in its shard"),
        "url": (put("sources", source("url", "file:///etc/passwd")["sources"]), "in a url"),
        "memory": (put("sources", source("memory", "abc")["sources"]), "in a memory"),
        "sources-text": (put("sources", "x"), "recording"),
        "sources-number": (put("sources", 3), "recording|source"),
        "source-text": (put("sources", ["x"]), "source"),
        "transforms": (put("transforms", [IMPULSE]), "transforms"),
        "rate-0": (put("sampling_rate", 0), "0 Hz"),
        "no-samples": (ground.drop("num_samples"), "line 1"),
    }
    for name, (change, words) in recordings.items():
        yield Case(f"shar-{name}", needs, lambda work, c=change: shard(work, described(c)), PREPARE_SHARDS, words)
    train = ("train", RECIPE, *SHARDS, *SMALL)
    command = recordings["command"][0]
    yield Case("shar-command-train", needs, lambda w: shard(w, described(command)), train, "in a command")
    members: dict[str, tuple[Callable[[list[Any]], None], str]] = {
        "json-symlink": (lambda all_of: _link(all_of[1][0], tarfile.SYMTYPE), "link|description"),
        "json-hardlink": (lambda all_of: _link(all_of[1][0], tarfile.LNKTYPE), "link"),
        "json-fifo": (lambda all_of: _link(all_of[1][0], tarfile.FIFOTYPE), "link"),
        "audio-symlink": (lambda all_of: _link(all_of[0][0], tarfile.SYMTYPE), "link"),
        "audio-device": (lambda all_of: _link(all_of[0][0], tarfile.CHRTYPE), "link"),
        "json-large": (lambda all_of: all_of.insert(1, (all_of.pop(1)[0], b" " * (2 << 20))), "describes no recording"),
        "json-deep": (lambda all_of: all_of.insert(1, (all_of.pop(1)[0], b"[" * 100_000)), "cannot be read"),
        "json-no-json": (lambda all_of: all_of.insert(1, (all_of.pop(1)[0], b"{")), "cannot be read"),
        "json-list": (lambda all_of: all_of.insert(1, (all_of.pop(1)[0], b"[]")), "describes no recording"),
        "other-name": (lambda all_of: setattr(all_of[0][0], "name", "../../x.wav"), "description|not of one making"),
        "one-less": (lambda all_of: all_of.clear(), "more utterances"),
    }
    for name, (change, words) in members.items():
        yield Case(f"shar-tar-{name}", needs, lambda work, c=change: shard(work, c), PREPARE_SHARDS, words)
    files: dict[str, tuple[Damage, str]] = {
        "tar-fifo": (at("shards/train/recording.000000.tar", ground.fifo), "recording"),
        "tar-folder": (at("shards/train/recording.000000.tar", ground.folder), "recording"),
        "tar-device": (at("shards/train/recording.000000.tar", ground.endless), "recording"),
        "tar-garbage": (at("shards/train/recording.000000.tar", ground.written(b"x" * 5000)), "recording"),
        "tar-pax-8-GiB": (at("shards/train/recording.000000.tar", _pax), "header or description of|end of file header"),
        "cuts-fifo": (at("shards/train/cuts.000000.jsonl.gz", ground.fifo), "cuts"),
        "cuts-folder": (at("shards/train/cuts.000000.jsonl.gz", ground.folder), "cuts"),
        "cuts-device": (at("shards/train/cuts.000000.jsonl.gz", ground.endless), "cuts"),
    }
    for name, (damage, words) in files.items():
        unlisted = at("shards/shards.json", lambda path: path.unlink())
        yield Case(f"shar-{name}", needs, both(unlisted, damage), PREPARE_SHARDS, words)
    for name, damage in {**ground.NOT_FILES, **ground.NOT_JSON}.items():
        if name == "circle":
            continue  # a link that leads nowhere is no list, and none is needed
        yield Case(f"shar-list-{name}", needs, at("shards/shards.json", damage), PREPARE_SHARDS, r"shards\.json")
    for name, key, value in (
        ("outside", "splits.train.files", {"../../secret": [1, "x"]}),
        ("split-outside", "splits", {"../x": {"files": {}, "utterances": 1}}),
        ("size", "splits.train.files", {"cuts.000000.jsonl.gz": ["many", "x"]}),
        ("splits", "splits", [1]),
    ):
        change = at("shards/shards.json", lambda path, key=key, value=value: edited(path, put(key, value)))
        yield Case(f"shar-list-{name}", needs, change, PREPARE_SHARDS, r"shards\.json")
    yield Case("shar-mirror", needs, _mirror, PREPARE_SHARDS, r"mirror\.json")
    yield Case("shar-mirror-fifo", needs, _mirrored_fifo, PREPARE_SHARDS, "shards")


def _link(info: tarfile.TarInfo, kind: bytes) -> None:
    info.type, info.linkname = kind, "/etc/passwd"


def _pax(path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 8 << 30
    path.write_bytes(info.tobuf() + b"\0" * 1024)


def _mirror(work: Path) -> None:
    """Shards that say of themselves that they are of an address, and how much of them may be here."""
    content = {"address": f"file://{work}/elsewhere", "room_gb": 1e-9, "files": {}}
    (work / "shards" / "mirror.json").write_text(json.dumps(content))


def _mirrored_fifo(work: Path) -> None:
    (work / "shards" / "shards.json").unlink()
    ground.fifo(work / "shards" / "mirror.json")
    ground.fifo(work / "shards" / "train" / "recording.000000.tar")
