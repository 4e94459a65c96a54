"""Checks that audio has not changed since it was prepared: each file once, when it is first read."""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

import numpy as np

from lasasr.data import derived, digests
from lasasr.data.derived import Arrays
from lasasr.data.digests import Digest
from lasasr.errors import LasasrError

SCHEMA: Final = 1
_BYTES: Final = 16  # of a digest


class AsPrepared:
    """Compares files with what was recorded of them, in a few bytes per file.

    What has been compared is recorded in shared memory, so that workers that were forked from this process compare each
    file once between them; workers that were spawned each do it for themselves. A file of which nothing was recorded,
    or that cannot be read, passes: reading it fails then.

    Args:
        recorded: of the files, see `table`.
    """

    def __init__(self, recorded: Arrays) -> None:
        self._keys, self._sizes, self._digests = recorded["keys"], recorded["sizes"], recorded["digests"]
        count = len(self._keys)
        self._seen = np.frombuffer(mmap.mmap(-1, max(1, count)), dtype=np.uint8, count=count)

    @classmethod
    def of(cls, manifest: Path) -> Self:
        """By what `digests.record` wrote beside a manifest.

        Raises:
            LasasrError: see `digests.recorded`.
        """
        path = digests.beside(manifest)
        made_from = {"schema": SCHEMA, **derived.stamps([path])}
        place = path.with_name(f"{digests.split_of(manifest)}.digests.safetensors")
        return cls(derived.stored_or_computed(place, made_from, lambda: table(digests.recorded(manifest))))

    def check(self, utterance: str, cut: bytes) -> None:
        """Compare the files of a cut that were not compared yet.

        Args:
            utterance: its id, for messages.
            cut: as JSON.

        Raises:
            LasasrError: a file has changed; names utterance and file.
        """
        for source in digests.sources(json.loads(cut)):
            index = self._index(source)
            if index is not None and not self._seen[index]:
                self._compare(utterance, source, index)
                self._seen[index] = 1

    def _index(self, source: str) -> int | None:
        key = _key(source)
        index = int(np.searchsorted(self._keys, np.uint64(key)))
        return index if index < len(self._keys) and int(self._keys[index]) == key else None

    def _compare(self, utterance: str, source: str, index: int) -> None:
        size = int(self._sizes[index])
        try:
            now = Path(source).stat().st_size
        except OSError:  # inside a tar file, or nowhere
            now = size
        if now != size:
            raise _changed(utterance, source, f"{now} bytes, {size} before")
        digest = digests.digest(source)
        if digest is not None and digest != (size, self._digests[index].tobytes().hex()):
            raise _changed(utterance, source, "other content in as many bytes")


def table(recorded: Mapping[str, Digest]) -> Arrays:
    """Keys of audio files in rising order, and the sizes and digests of those files."""
    keys = np.fromiter(map(_key, recorded), dtype=np.uint64, count=len(recorded))
    order = np.argsort(keys)
    digest_bytes = np.frombuffer(b"".join(bytes.fromhex(digest.blake2b) for digest in recorded.values()), np.uint8)
    sizes = np.fromiter((digest.bytes for digest in recorded.values()), dtype=np.int64, count=len(recorded))
    return {"keys": keys[order], "sizes": sizes[order], "digests": digest_bytes.reshape(len(recorded), _BYTES)[order]}


def _key(path: str) -> int:
    return int.from_bytes(hashlib.blake2b(path.encode(), digest_size=8).digest(), "little")


def _changed(utterance: str, source: str, how: str) -> LasasrError:
    return LasasrError(
        f"utterance {utterance}: {source} has changed since it was prepared ({how}): put it back, or run lasasr "
        f"prepare, which takes it in as it is now"
    )
