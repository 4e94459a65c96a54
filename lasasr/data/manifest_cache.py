"""The manifests of one prepared corpus, each read, checked and normalised once per process."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lasasr.data import manifest_index
from lasasr.data.manifest import Utterances
from lasasr.text.transcript import TranscriptRule

_Version = tuple[int, ...]


class ManifestCache:
    """Holds the utterances of the manifests of one folder under one transcript rule.

    A manifest that was written again, another folder and another rule drop what is held before they are read, so that a
    large corpus is never in memory twice.
    """

    def __init__(self) -> None:
        self._source: tuple[Path, str] | None = None  # folder and rule of what is held
        self._utterances: dict[str, tuple[_Version, Utterances]] = {}  # name of the manifest →

    def read(self, path: Path, rule: TranscriptRule) -> Utterances:
        """The utterances of a manifest: those that are held, where the file is still the one they were read from.

        Raises:
            LasasrError: see `data.manifest.read_manifest`; nothing is held then.
        """
        source = (path.parent, str(rule))
        if source != self._source:
            self.clear()
        version, entry = _version(path), self._utterances.pop(path.name, None)
        if entry is None or entry[0] != version:
            entry = None  # what is outdated goes before it is read again
            entry = (version, manifest_index.utterances(path, rule))
        self._source, self._utterances[path.name] = source, entry
        return entry[1]

    def texts(self, path: Path, rule: TranscriptRule) -> Iterable[str]:
        """The transcripts of a manifest; see `read`."""
        return self.read(path, rule).texts

    def clear(self) -> None:
        """Hold nothing."""
        self._source = None
        self._utterances.clear()


def _version(path: Path) -> _Version:
    """Changes when a file is written again; empty where it is missing, which reading it reports."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


MANIFESTS: Final = ManifestCache()
