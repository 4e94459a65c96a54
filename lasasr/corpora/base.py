"""The contract of a corpus: audio and transcripts from wherever they are to one Lhotse cut manifest per split."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

Progress = Callable[[str, int, int], None]  # (what is being done, done, total)


class Corpus(ABC):
    """One corpus, as configured.

    `prepare` writes `<folder>/<split>.jsonl.gz`, each a Lhotse `CutSet` of single-channel `MonoCut`s with exactly one
    supervision that carries the raw transcript (`text`), the speaker and, where they are known, the alignments "word"
    and "phone". Audio paths in it are absolute. A file that stands there is whole (`files.replacing`).
    """

    name: ClassVar[str]
    transcript: str  # name of the transcript rule (`lasasr.text.transcript`)

    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """Everything that decides what `prepare` writes: plain values; equal identities give equal manifests."""

    @abstractmethod
    def prepare(self, folder: Path, progress: Progress) -> dict[str, Path]:
        """Write the manifests that are missing below `folder`; return split → manifest.

        The splits always hold "train" and "dev"; every further one (and "dev") can be evaluated.

        Raises:
            LasasrError: audio or transcripts are missing or damaged; the message names the file and the way out.
        """

    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that name this corpus as configured."""
        plain = json.dumps({"corpus": self.name, **self.identity()}, sort_keys=True, default=str)
        return hashlib.sha256(plain.encode()).hexdigest()[:12]
