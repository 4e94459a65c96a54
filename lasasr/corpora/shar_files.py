"""The files of a folder of Lhotse Shar, and whether they are all there.

DIR/shards.json                        what `lasasr prepare --shards DIR` wrote; Lhotse has nothing like it
DIR/<split>/cuts.000000.jsonl.gz       cuts without their audio
DIR/<split>/recording.000000.tar       audio and recordings of the same utterances in the same order
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from lasasr.artifacts.files import read_json
from lasasr.errors import LasasrError

LIST: Final = "shards.json"  # beside the folders of the splits: Lhotse takes every file inside for a field of cuts
SCHEMA: Final = 1
_SPLIT: Final = re.compile(r"\w[\w.-]*")
_FILE: Final = re.compile(r"cuts\.\d+\.jsonl\.gz|recording\.\d+\.tar")
_WHOLE: Final = "copy or make the shards again"


class Shard(NamedTuple):
    """Some utterances of a split."""

    cuts: Path
    recordings: Path
    size: int  # bytes of the recordings


def shards(folder: Path) -> list[Shard]:
    """The shards of a split, in their order.

    Raises:
        LasasrError: there are none, or a file is missing or not as large as it was written; names the first.
    """
    _check_listed(folder)
    cuts = {_label(path, "cuts"): path for path in folder.glob("cuts*.jsonl*")}
    recordings = {_label(path, "recording"): path for path in folder.glob("recording*.tar")}
    if not cuts:
        raise LasasrError(f"{folder} holds no cuts.*.jsonl.gz, so no shards as Lhotse Shar has them")
    if not recordings:
        way_out = "write the shards with fields={'recording': 'flac'}"
        raise LasasrError(f"{folder} holds no recording.*.tar, so there is nothing to hear; {way_out}")
    for label in sorted({*cuts, *recordings, *_between(cuts)}):
        for paths, name in ((cuts, f"cuts{label}.jsonl.gz"), (recordings, f"recording{label}.tar")):
            if label not in paths:
                raise LasasrError(f"shard {folder / name} is missing; {_WHOLE}")
    return [Shard(cuts[label], recordings[label], recordings[label].stat().st_size) for label in sorted(cuts)]


def listed_shards(folder: Path) -> list[Shard]:
    """The shards that the list beside a split names, whether their recordings are there or not.

    Raises:
        LasasrError: it names cuts without recordings.
    """
    files, shards = listed(folder.parent)["splits"][folder.name]["files"], []
    for name in sorted(filter(is_cuts, files)):
        recordings = f"recording{_label(Path(name), 'cuts')}.tar"
        if recordings not in files:
            raise LasasrError(f"{folder.parent / LIST} names {name}, but no {recordings}; {_WHOLE}")
        shards.append(Shard(folder / name, folder / recordings, files[recordings][0]))
    return shards


def is_cuts(name: str) -> bool:
    """Whether a file of a split holds cuts; else it holds recordings."""
    return name.startswith("cuts")


def holds_shards(folder: Path) -> bool:
    """Whether a folder looks like a split."""
    return folder.is_dir() and not folder.name.startswith(".") and any(folder.glob("cuts*.jsonl*"))


def listed(root: Path) -> dict[str, Any]:
    """The content of `shards.json` of a folder; without one, no split.

    Raises:
        LasasrError: it is damaged, or of another schema.
    """
    path = root / LIST
    if not path.exists():
        return {"splits": {}}
    content = read_json(path)
    try:
        sound = content["schema"] == SCHEMA and all(map(_is_split, content["splits"], content["splits"].values()))
    except (KeyError, TypeError, AttributeError, ValueError):
        sound = False
    if not sound:
        raise LasasrError(f"{path} is not what this version of lasasr writes (schema {SCHEMA}); {_WHOLE}")
    return dict(content)


def _is_split(name: str, content: Mapping[str, Any]) -> bool:
    """Names become paths: none may lead elsewhere, for a list can come from the web."""
    named = all(map(_FILE.fullmatch, content["files"]))
    sized = all(isinstance(size, int) and isinstance(md5, str) for size, md5 in content["files"].values())
    return _SPLIT.fullmatch(name) is not None and named and sized and isinstance(content["utterances"], int)


def describe(folder: Path) -> dict[str, tuple[int, str]]:
    """File of a split → its bytes and MD5."""
    return {path.name: (path.stat().st_size, _md5(path)) for path in sorted(folder.iterdir())}


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()


def _check_listed(folder: Path) -> None:
    split: Mapping[str, Any] = listed(folder.parent)["splits"].get(folder.name, {"files": {}})
    for name, (size, _) in split["files"].items():
        path = folder / name
        if not path.is_file():
            raise LasasrError(f"shard {path} is missing; {_WHOLE}")
        if path.stat().st_size != size:
            raise LasasrError(f"shard {path} has {path.stat().st_size} bytes instead of {size}; {_WHOLE}")


def _label(path: Path, field: str) -> str:
    """ ".000000" of a numbered shard, "" of the only one."""
    return path.name.removeprefix(field).partition(".tar" if field == "recording" else ".jsonl")[0]


def _between(labels: Mapping[str, Path]) -> Iterator[str]:
    """The numbers that must be there if those are: a gap is a shard that was lost."""
    numbers = [label[1:] for label in labels if label[1:].isdecimal()]
    if numbers:
        for number in range(int(min(numbers)), int(max(numbers)) + 1):
            yield f".{number:0{len(numbers[0])}d}"
