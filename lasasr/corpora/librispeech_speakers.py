"""Splits made of chosen speakers of LibriSpeech's original splits, in their original layout or as tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lasasr.artifacts.files import expanded
from lasasr.corpora.base import Corpus, Progress
from lasasr.corpora.librispeech import chapter_lines, folder_above, listing, original_transcripts, splits_folder
from lasasr.corpora.librispeech_parts import OPENSLR, download_librispeech
from lasasr.corpora.lines import Line, cuts
from lasasr.corpora.manifest import write_cuts
from lasasr.corpora.rows import rows
from lasasr.errors import LasasrError, UsageError, looked_up

Speakers = Mapping[str, Sequence[int]]  # original split → speakers of it


class LibriSpeechSpeakersCorpus(Corpus):
    """Each split holds every utterance of the speakers that are listed for it.

    Args:
        root: the folder `LibriSpeech`, or the one that holds it.
        splits: split → original split → speakers.
        tables: original split → a folder beside `LibriSpeech` with tables (`.tsv` with id, audio, text, speaker) of the
            same utterances, which is read where the original split is not there.
        download: fetch the original splits that are not there.
        source: where from; OpenSLR's mirrors have other addresses.

    Raises:
        UsageError: there is no "train" or "dev", a split lists nobody, or a speaker is listed twice.
    """

    name: ClassVar[str] = "librispeech_speakers"
    transcript = "librispeech"

    def __init__(
        self,
        root: str,
        splits: Mapping[str, Speakers],
        tables: Mapping[str, str] | None = None,
        download: bool = False,
        source: str = OPENSLR,
    ) -> None:
        self.root, self.splits, self.tables = expanded(root), splits, dict(tables or {})
        self.download, self.source = download, source
        self._check()

    def _check(self) -> None:
        if absent := [split for split in ("train", "dev") if not self.splits.get(split)]:
            raise UsageError(f"corpus.splits.{absent[0]} lists no speakers")
        listed: dict[int, str] = {}
        for split, chosen in self.splits.items():
            for original, speakers in chosen.items():
                place = f"corpus.splits.{split}.{original}"
                if not speakers:
                    raise UsageError(f"{place} lists no speakers")
                for speaker in speakers:
                    if speaker in listed:
                        raise UsageError(f"{place}: speaker {speaker} is listed in {listed[speaker]} already")
                    listed[speaker] = place

    def fetch(self, progress: Progress) -> None:
        if self.download:
            download_librispeech(self._originals(), folder_above(self.root), progress, self.source)

    def split_names(self) -> Sequence[str]:
        """See `Source`."""
        return list(self.splits)

    def identity(self) -> Mapping[str, Any]:
        """Includes which transcripts are there: a corpus that grew is another one."""
        sources = {original: self._source(original) for original in self._originals()}
        return {
            "splits": {split: {name: list(chosen[name]) for name in chosen} for split, chosen in self.splits.items()},
            "sources": {original: str(folder.resolve()) for original, folder in sources.items()},
            "transcripts": listing(path for folder in sources.values() for path in original_transcripts(folder)),
            "tables": {
                str(table.resolve()): hashlib.sha256(table.read_bytes()).hexdigest()
                for folder in sources.values()
                for table in _tables(folder)
            },
        }

    def prepare(self, folder: Path, progress: Progress) -> dict[str, Path]:
        manifests = {split: folder.resolve() / f"{split}.jsonl.gz" for split in self.splits}
        for split, manifest in manifests.items():
            if not manifest.exists():
                write_cuts(cuts(split, self._lines(split), progress), manifest)
        return manifests

    def _originals(self) -> list[str]:
        return sorted({original for chosen in self.splits.values() for original in chosen})

    def _source(self, original: str) -> Path:
        """The folder of an original split, or of its tables.

        Raises:
            LasasrError: there is neither.
        """
        folder = splits_folder(self.root) / original
        if next(iter(original_transcripts(folder)), None):
            return folder
        tables = folder_above(self.root) / self.tables[original] if original in self.tables else None
        if tables and _tables(tables):
            return tables
        either = f" or, as tables, {tables}" if tables else ""
        raise LasasrError(
            f"there is no {folder}{either}: set corpus.root or LASASR_DATA to the folder that holds LibriSpeech, or "
            f"add corpus.download=true{looked_up(self.root)}"
        )

    def _lines(self, split: str) -> list[Line]:
        return [line for original, chosen in self.splits[split].items() for line in self._chosen(original, chosen)]

    def _chosen(self, original: str, speakers: Sequence[int]) -> list[Line]:
        source, wanted = self._source(original), {str(speaker) for speaker in speakers}
        lines = [line for line in _all_lines(source, wanted) if line.speaker in wanted]
        if absent := sorted(wanted - {line.speaker for line in lines}, key=int):
            raise LasasrError(f"{source} holds nothing of speaker {', '.join(absent)}, listed in corpus.splits")
        return lines


def _all_lines(source: Path, speakers: set[str]) -> Iterator[Line]:
    """Utterances of a folder, among them all of `speakers`."""
    for transcripts in original_transcripts(source):
        if transcripts.parent.parent.name in speakers:
            yield from chapter_lines(transcripts)
    for table in _tables(source):
        for row in rows(table):
            yield Line(row.id, row.text, row.speaker or "", row.audio.resolve())


def _tables(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.tsv"))
