"""The contract of a corpus: audio and transcripts from anywhere → one Lhotse cut manifest per split; or text alone."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

Progress = Callable[[str, int, int], None]  # (what is being done, done, total)


class Source(ABC):
    """What speech and text corpora have in common: a name, a transcript rule and an identity."""

    name: ClassVar[str]
    transcript: str  # name of the transcript rule (`lasasr.text.transcript`)

    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the prepared data: plain values; equal identities give equal data."""

    def split_names(self) -> Sequence[str]:
        """The splits that this corpus has, where that is known before anything is read; empty where it is not."""
        return ()

    def remarks(self) -> Mapping[str, str]:
        """Split → what its files hold that is not read, in one line; only splits where there is something.

        Raises:
            LasasrError: a file is missing or damaged.
        """
        return {}

    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that name this corpus as configured."""
        plain = json.dumps({"corpus": self.name, **self.identity()}, sort_keys=True, default=str)
        return hashlib.sha256(plain.encode()).hexdigest()[:12]


class Corpus(Source):
    """One corpus of speech, as configured.

    `prepare` writes `<folder>/<split>.jsonl.gz`, each a Lhotse `CutSet` of single-channel `MonoCut`s with exactly one
    supervision that carries the raw transcript (`text`), the speaker and, where they are known, the alignments "word"
    and "phone". Audio paths in it are absolute, or positions in tar files (`data.tar`), where a `MultiCut` is allowed
    too: its channels are averaged when it is loaded. A file that exists is whole (`files.replacing`).
    """

    def fetch(self, progress: Progress) -> None:
        """Download what is not there yet, where the configuration says so; called before `identity`.

        Raises:
            LasasrError: it cannot be downloaded; the message names the file and the reason.
        """

    @abstractmethod
    def prepare(self, folder: Path, progress: Progress) -> dict[str, Path]:
        """Write the manifests that are missing below `folder`; return split → manifest.

        The splits always hold "train" and "dev"; every further one (and "dev") can be evaluated.

        Raises:
            LasasrError: audio or transcripts are missing or damaged; the message names the file and the way out.
        """

    def prepare_only(self, folder: Path, wanted: Collection[str], progress: Progress) -> dict[str, Path]:
        """The same, where only some splits are read: a corpus may leave out what costs much and is not wanted.

        One that does names all of its splits in `split_names`, so that a message about a wrong one can list them.

        Returns split → manifest of those that are there, the wanted ones among them.

        Raises:
            LasasrError: see `prepare`.
        """
        return self.prepare(folder, progress)


class TextCorpus(Source):
    """One corpus of sentences without audio, for language models."""

    @abstractmethod
    def splits(self) -> Mapping[str, Callable[[], Iterator[str]]]:
        """Split → its raw sentences, as often as it is called; the splits always hold "train" and "dev".

        Raises:
            LasasrError: a file is missing or damaged; the message names it.
        """
