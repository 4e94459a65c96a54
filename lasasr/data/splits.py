"""The splits of a prepared corpus: their utterances, and what they hold."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lasasr.artifacts import files
from lasasr.data import content, content_files
from lasasr.data.content import Content, Row
from lasasr.data.digest_table import DigestTable
from lasasr.data.manifest import Utterances
from lasasr.data.manifest_cache import MANIFESTS
from lasasr.errors import LasasrError
from lasasr.text.transcript import TranscriptRule

Texts = Mapping[str, Callable[[], Iterable[str]]]  # split → its normalised sentences


@dataclass(frozen=True)
class Splits:
    """Of a corpus of speech."""

    folder: Path  # where all that is prepared of the corpus lies
    manifests: Mapping[str, Path]  # split → Lhotse cut manifest
    fingerprint: str  # of the corpus as configured
    rule: TranscriptRule
    first_utterances: int | None  # a trial on the first so many of each split
    # split → fingerprint of another corpus that it is of
    others: Mapping[str, str] = field(default_factory=dict, kw_only=True)

    def utterances(self, split: str) -> Utterances:
        """The checked utterances of a split, transcripts normalised.

        Raises:
            LasasrError: there is no such split; the message names those there are.
        """
        utterances = MANIFESTS.read(self._manifest(split), self.rule)
        return utterances if self.first_utterances is None else utterances.first(self.first_utterances)

    def content(self, split: str) -> str:
        """16 hexadecimal digits over what the utterances of a split hold, whatever their paths; see `data.content`.

        Raises:
            LasasrError: see `utterances`.
        """
        return self.contents(split).fingerprint

    def contents(self, split: str) -> Content:
        """The same with the number of utterances.

        Raises:
            LasasrError: see `utterances`.
        """
        if self.first_utterances is not None:
            return self._computed(split)
        manifest, ordered = self._manifest(split), content.is_ordered(split)
        return content_files.of_split(manifest, str(self.rule), ordered, lambda: self.utterances(split))

    def rows(self, split: str) -> Mapping[str, Row]:
        """Short digests of every utterance, by id, in their order.

        Raises:
            LasasrError: see `utterances`.
        """
        path = content_files.rows_beside(self._manifest(split), str(self.rule))
        if self.first_utterances is None and path.exists():
            self.contents(split)  # which writes the rows again where they are of other data
            return content_files.read_rows(path)
        return self._computed(split).rows or {}

    def write_rows(self, split: str, path: Path) -> None:
        """Write them to a file; equal rows give equal bytes.

        Raises:
            LasasrError: see `utterances`.
        """
        stored = content_files.rows_beside(self._manifest(split), str(self.rule))
        if self.first_utterances is None and stored.exists():
            self.contents(split)  # which writes the rows again where they are of other data
            with files.replacing(path) as temporary:
                shutil.copyfile(stored, temporary)
        else:
            content_files.write_rows(path, self.rows(split))

    @property
    def names(self) -> list[str]:
        """Of all splits."""
        return sorted(self.manifests)

    def _computed(self, split: str) -> Content:
        recorded = DigestTable.of(self._manifest(split))
        return content.of_utterances(self.utterances(split), recorded, content.is_ordered(split))

    def _manifest(self, split: str) -> Path:
        if split not in self.manifests:
            raise LasasrError(f"the corpus has no split {split!r}; it has {', '.join(self.names)}")
        return self.manifests[split]


@dataclass(frozen=True)
class TextSplits:
    """Of a corpus of text, or of the transcripts of one of speech."""

    folder: Path  # where all that is prepared of the corpus lies
    fingerprint: str  # of the corpus as configured
    rule: TranscriptRule
    texts: Texts
    manifests: Mapping[str, Path]  # split → manifest, of a corpus of speech; of text there are none
    others: Mapping[str, str] = field(default_factory=dict, kw_only=True)  # see `Splits`

    def content(self, split: str) -> str:
        """16 hexadecimal digits over the normalised sentences of a split; see `data.content`.

        Raises:
            LasasrError: there is no such split, or its text cannot be read any more.
        """
        return self.contents(split).fingerprint

    def contents(self, split: str) -> Content:
        """The same with the number of sentences.

        Raises:
            LasasrError: see `content`.
        """
        self.check(split)
        made_from = [self.manifests[split]] if split in self.manifests else []
        return content_files.of_text(self.folder, split, str(self.rule), made_from, self.texts[split])

    def rows(self, split: str) -> None:
        """Sentences have no names: they cannot be compared one by one."""

    def write_rows(self, split: str, path: Path) -> None:
        """There are none to write."""

    @property
    def names(self) -> list[str]:
        """Of all splits."""
        return sorted(self.texts)

    def check(self, split: str) -> None:
        """Check that there is such a split.

        Raises:
            LasasrError: there is none; the message names those there are.
        """
        if split not in self.texts:
            raise LasasrError(f"the corpus has no split {split!r}; it has {', '.join(self.names)}")


class AnySplits(Protocol):
    """What both have in common."""

    @property
    def fingerprint(self) -> str:
        """Of the corpus as configured."""
        ...

    @property
    def rule(self) -> TranscriptRule:
        """Of its transcripts."""
        ...

    @property
    def manifests(self) -> Mapping[str, Path]:
        """Split → cut manifest; none of a corpus of text."""
        ...

    @property
    def others(self) -> Mapping[str, str]:
        """Split → fingerprint of another corpus that it is of."""
        ...

    @property
    def names(self) -> list[str]:
        """Of all splits."""
        ...

    def contents(self, split: str) -> Content:
        """What a split holds."""
        ...

    def rows(self, split: str) -> Mapping[str, Row] | None:
        """The short digests of its utterances; None: they have no names."""
        ...

    def write_rows(self, split: str, path: Path) -> None:
        """Write the short digests of its utterances to a file, where they have names."""
        ...
