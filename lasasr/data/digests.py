"""Size and BLAKE2b digest of the audio files of a split when it was prepared, in a file beside its manifest.

A file inside a tar file counts as one of its own.

A bit that flips in a WAV file changes a sample and nothing else: a decoder does not detect it, a digest does.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from lasasr.artifacts.files import lines, parse_json, replacing
from lasasr.data import mirror, tar
from lasasr.errors import LasasrError

SCHEMA: Final = 1
Report = Callable[[str, int, int], None]
KINDS: Final = ("file", tar.KIND)  # of a source whose digest is recorded
_READERS: Final = 8  # threads; hashing releases the interpreter's lock
_CHUNK: Final = 1 << 20  # bytes
_MOST_BYTES: Final = 1 << 30  # of all digests of a split, unpacked: several million files
_SKEW_NS: Final = 60_000_000_000  # by which the clock of a file server may be behind
_EVERY: Final = 100  # files between two reports of progress


class Digest(NamedTuple):
    """Of one file."""

    bytes: int
    blake2b: str  # 32 hexadecimal digits


def sources(cut: Mapping[str, Any]) -> list[str]:
    """The audio files, on disk or inside tar files, that a cut, as a plain value, is made of."""
    if "tracks" in cut:
        return [path for track in cut["tracks"] for path in sources(track["cut"])]
    recording = cut.get("recording") or {}
    return [str(source["source"]) for source in recording.get("sources", ()) if source.get("type") in KINDS]


def digest(source: str) -> Digest | None:
    """The digest of one of `sources` as it is now; None where it cannot be read."""
    hashed = hashlib.blake2b(digest_size=16)
    try:
        if not Path(source).is_file():  # inside a tar file, or nowhere
            content = tar.Member.at(source).content()
            hashed.update(content)
            return Digest(len(content), hashed.hexdigest())
        size = 0
        with Path(source).open("rb") as file:
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                hashed.update(chunk)
        return Digest(size, hashed.hexdigest())
    except (OSError, LasasrError):
        return None


def split_of(manifest: Path) -> str:
    """The split whose manifest this is, `<split>.jsonl.gz`; another file's name up to its first dot."""
    name = manifest.name
    return name.removesuffix(".jsonl.gz") if name.endswith(".jsonl.gz") else name.split(".")[0]


def beside(manifest: Path) -> Path:
    """The file that stores the digests of a manifest's audio."""
    return manifest.with_name(f"{split_of(manifest)}.digests.json.gz")


def record(manifest: Path, cuts: Iterable[bytes], progress: Report) -> None:
    """Record the digest of every audio file of `cuts` that is not recorded yet.

    A file that cannot be read now is left out: reading it fails later, with the reason. So is what is fetched
    when it is read, and checked then.
    """
    target, begun_ns = beside(manifest), time.time_ns()
    recorded_before = recorded(manifest)
    paths = {path for cut in map(json.loads, cuts) if not is_fetched(cut) for path in sources(cut)}
    added = _digested(sorted(paths - set(recorded_before)), f"digests of {split_of(manifest)}", progress)
    if target.exists() and not added:
        return
    content = {
        "schema": SCHEMA,
        "recorded_at_ns": _recorded_at_ns(manifest) or begun_ns,
        "files": recorded_before | added,
    }
    with (
        replacing(target) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
    ):
        packed.write(json.dumps(content).encode())


def _digested(paths: Sequence[str], task: str, progress: Report) -> dict[str, Digest]:
    """The digests of those that can be read."""
    digests = {}
    with ThreadPoolExecutor(_READERS) as readers:
        for done, (path, digested) in enumerate(zip(paths, readers.map(digest, paths), strict=True), start=1):
            if digested is not None:
                digests[path] = digested
            if done % _EVERY == 0 or done == len(paths):
                progress(task, done, len(paths))
    return digests


def is_fetched(cut: Mapping[str, Any]) -> bool:
    """Whether the audio of a cut, as a plain value, comes from an address when it is read."""
    shard = tar.shard_of(cut)
    return shard is not None and mirror.is_mirrored(shard.parent)


def recorded(manifest: Path) -> dict[str, Digest]:
    """Path → digest, as `record` computed them; empty when nothing was recorded.

    Raises:
        LasasrError: the file is damaged, or of another schema.
    """
    return _read(manifest)[1]


def changed(manifest: Path, progress: Report) -> list[str]:
    """The audio files that are there and are not what they were when their digests were recorded.

    Only those are read whose inode was written to since then: by what renames a file over another, too, for that
    changes its ctime.

    Raises:
        LasasrError: see `recorded`.
    """
    recorded_digests, since_ns = recorded(manifest), _recorded_at_ns(manifest)
    touched = cache(partial(_is_touched, since_ns=(since_ns or 0) - _SKEW_NS))
    suspects = [path for path in recorded_digests if touched(path if Path(path).is_file() else path.rpartition("?")[0])]
    now = _digested(suspects, f"audio of {split_of(manifest)}, written to since it was prepared", progress)
    return [path for path, digested in now.items() if digested != recorded_digests[path]]


def _is_touched(path: str, since_ns: int) -> bool:
    try:
        status = Path(path).stat()
    except OSError:
        return False  # reading it is what fails
    return max(status.st_mtime_ns, status.st_ctime_ns) > since_ns


def _recorded_at_ns(manifest: Path) -> int | None:
    """When the digests were recorded; None where they are not."""
    recorded_ns, _ = _read(manifest)
    if recorded_ns is not None:
        return recorded_ns
    path = beside(manifest)
    return path.stat().st_mtime_ns if path.exists() else None


def _read(manifest: Path) -> tuple[int | None, dict[str, Digest]]:
    path = beside(manifest)
    if not path.exists():
        return None, {}
    try:
        content = parse_json(next(lines(path, _MOST_BYTES)))
        if content["schema"] != SCHEMA:
            raise LasasrError(f"{path} has schema {content['schema']}, this version of lasasr reads {SCHEMA}")
        return content.get("recorded_at_ns"), {source: Digest(*fields) for source, fields in content["files"].items()}
    except (OSError, EOFError, StopIteration, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LasasrError(f"{path} is damaged ({error!r}); delete it, and lasasr prepare writes it again") from None
