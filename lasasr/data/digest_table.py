"""The digests that were recorded of a split's audio files, as arrays: forty bytes a file, mapped into memory.

<split>.digests.safetensors    beside the manifest
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

import numpy as np

from lasasr.data import derived, digests
from lasasr.data.derived import Arrays
from lasasr.data.digests import Digest

SCHEMA: Final = 1
_BYTES: Final = 16  # of a digest


class DigestTable:
    """Finds the digest of a file by its path.

    Args:
        arrays: see `table`.
    """

    def __init__(self, arrays: Arrays) -> None:
        self._keys, self._sizes, self._digests = arrays["keys"], arrays["sizes"], arrays["digests"]

    @classmethod
    def of(cls, manifest: Path) -> Self:
        """What `digests.record` wrote beside a manifest.

        Raises:
            LasasrError: see `digests.recorded`.
        """
        path = digests.beside(manifest)
        made_from = {"schema": SCHEMA, **derived.stamps([path])}
        place = path.with_name(f"{digests.split_of(manifest)}.digests.safetensors")
        return cls(derived.stored_or_computed(place, made_from, lambda: table(digests.recorded(manifest))))

    def __len__(self) -> int:
        return len(self._keys)

    def index(self, path: str) -> int | None:
        """Where a file stands, counted from 0; None where nothing was recorded of it."""
        key = _key(path)
        index = int(np.searchsorted(self._keys, np.uint64(key)))
        return index if index < len(self._keys) and int(self._keys[index]) == key else None

    def at(self, index: int) -> Digest:
        """The digest of the file that stands there."""
        return Digest(int(self._sizes[index]), self._digests[index].tobytes().hex())

    def get(self, path: str, /) -> Digest | None:
        """The digest of a file; None where nothing was recorded of it."""
        index = self.index(path)
        return None if index is None else self.at(index)


def table(recorded: Mapping[str, Digest]) -> Arrays:
    """Keys of audio files in rising order, and the sizes and digests of those files."""
    keys = np.fromiter(map(_key, recorded), dtype=np.uint64, count=len(recorded))
    order = np.argsort(keys)
    digest_bytes = np.frombuffer(b"".join(bytes.fromhex(digest.blake2b) for digest in recorded.values()), np.uint8)
    sizes = np.fromiter((digest.bytes for digest in recorded.values()), dtype=np.int64, count=len(recorded))
    return {"keys": keys[order], "sizes": sizes[order], "digests": digest_bytes.reshape(len(recorded), _BYTES)[order]}


def _key(path: str) -> int:
    return int.from_bytes(hashlib.blake2b(path.encode(), digest_size=8).digest(), "little")
