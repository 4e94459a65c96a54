"""Checks that audio has not changed since it was prepared: each file once, when it is first read."""

from __future__ import annotations

import json
import mmap
from pathlib import Path
from typing import Self

import numpy as np

from lasasr.data import digests
from lasasr.data.digest_table import DigestTable
from lasasr.errors import LasasrError


class AsPrepared:
    """Compares files with what was recorded of them, in a few bytes per file.

    What has been compared is recorded in shared memory, so that workers that were forked from this process compare each
    file once between them; workers that were spawned each do it for themselves. A file of which nothing was recorded,
    or that cannot be read, passes: reading it fails then.

    Args:
        recorded: of the files.
    """

    def __init__(self, recorded: DigestTable) -> None:
        self._recorded, count = recorded, len(recorded)
        self._seen = np.frombuffer(mmap.mmap(-1, max(1, count)), dtype=np.uint8, count=count)

    @classmethod
    def of(cls, manifest: Path) -> Self:
        """By what `digests.record` wrote beside a manifest.

        Raises:
            LasasrError: see `digests.recorded`.
        """
        return cls(DigestTable.of(manifest))

    def check(self, utterance: str, cut: bytes) -> None:
        """Compare the files of a cut that were not compared yet.

        Args:
            utterance: its id, for messages.
            cut: as JSON.

        Raises:
            LasasrError: a file has changed; names utterance and file.
        """
        for source in digests.sources(json.loads(cut)):
            index = self._recorded.index(source)
            if index is not None and not self._seen[index]:
                self._compare(utterance, source, index)
                self._seen[index] = 1

    def _compare(self, utterance: str, source: str, index: int) -> None:
        recorded = self._recorded.at(index)
        size = recorded.bytes
        try:
            now = Path(source).stat().st_size
        except OSError:  # inside a tar file, or nowhere
            now = size
        if now != size:
            raise _changed(utterance, source, f"{now} bytes, {size} before")
        digest = digests.digest(source)
        if digest is not None and digest != recorded:
            raise _changed(utterance, source, "other content in as many bytes")


def _changed(utterance: str, source: str, how: str) -> LasasrError:
    return LasasrError(
        f"utterance {utterance}: {source} has changed since it was prepared ({how}): put it back, or run lasasr "
        f"prepare, which takes it in as it is now"
    )
