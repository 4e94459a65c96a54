"""What the audio files of a split were when it was prepared: size and BLAKE2b digest, in a file beside its manifest.

A file inside a tar file counts as one of its own.

A bit that flips in a WAV file changes a sample and nothing else: no decoder notices. A digest does.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

from lasasr.data import mirror, tar
from lasasr.errors import LasasrError
from lasasr.files import lines, parse_json, replacing

SCHEMA: Final = 1
KINDS: Final = ("file", tar.KIND)  # of a source whose digest is noted
_READERS: Final = 8  # threads; hashing releases the interpreter's lock
_CHUNK: Final = 1 << 20  # bytes
_MOST_BYTES: Final = 1 << 28  # of all digests of a split, unpacked: a million files
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
    """Where the digests of a manifest's audio stand."""
    return manifest.with_name(f"{split_of(manifest)}.digests.json.gz")


def record(manifest: Path, cuts: Iterable[bytes], progress: Callable[[str, int, int], None]) -> None:
    """Note the digest of every audio file of `cuts`, unless they are noted already.

    A file that cannot be read now is left out: reading it is what fails later, and says why. So is what is fetched
    when it is read, and checked then.
    """
    place = beside(manifest)
    if place.exists():
        return
    paths = sorted({path for cut in map(json.loads, cuts) if not _is_fetched(cut) for path in sources(cut)})
    found: dict[str, Digest] = {}
    with ThreadPoolExecutor(_READERS) as readers:
        for done, (path, one) in enumerate(zip(paths, readers.map(digest, paths), strict=True), start=1):
            if one is not None:
                found[path] = one
            if done % _EVERY == 0 or done == len(paths):
                progress(f"digests of {split_of(manifest)}", done, len(paths))
    with replacing(place) as temporary, temporary.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
        packed.write(json.dumps({"schema": SCHEMA, "files": found}).encode())


def _is_fetched(cut: Mapping[str, Any]) -> bool:
    shard = tar.shard_of(cut)
    return shard is not None and mirror.is_mirrored(shard.parent)


def recorded(manifest: Path) -> dict[str, Digest]:
    """Path → digest, as `record` found them; empty when nothing was recorded.

    Raises:
        LasasrError: the file is damaged, or of another schema.
    """
    place = beside(manifest)
    if not place.exists():
        return {}
    try:
        content = parse_json(next(lines(place, _MOST_BYTES)))
        if content["schema"] != SCHEMA:
            raise LasasrError(f"{place} has schema {content['schema']}, this version of lasasr reads {SCHEMA}")
        return {path: Digest(*one) for path, one in content["files"].items()}
    except (OSError, EOFError, zlib.error, StopIteration, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LasasrError(f"{place} is damaged ({error!r}); delete it, and lasasr prepare writes it again") from None
