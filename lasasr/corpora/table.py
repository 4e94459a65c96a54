"""One's own recordings: a table or a Lhotse cut manifest per split.

A table is tab-separated with a line of column names (`.tsv`) or JSON lines (`.jsonl`), with `id`, `audio` (a path,
absolute or relative to the table) and `text`, and optionally `speaker`, `start_s` and `end_s`. A `.jsonl.gz`, or a
`.jsonl` whose lines are cuts, is read as a cut manifest. Recordings of several channels are averaged into one; a
sampling rate from 1 to 384 kHz is kept, and converted when the audio is loaded. For tables with other column names
(Common Voice, LJSpeech) set `columns`.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from lhotse import MonoCut

from lasasr.artifacts.files import expanded
from lasasr.corpora.audio_faults import skippable
from lasasr.corpora.audio_files import Size, check_audio, mixed, read, size, write_downmixed
from lasasr.corpora.base import Corpus, Progress
from lasasr.corpora.columns import Columns
from lasasr.corpora.foreign_cuts import foreign_cuts, holds_cuts
from lasasr.corpora.manifest import recording, utterance, write_cuts
from lasasr.corpora.rows import Row, rows, unread
from lasasr.distributed import launch
from lasasr.errors import LasasrError, UsageError
from lasasr.escaping import escaped

_SLACK_S = 0.02  # an end_s so little behind the end of the file is rounding
_EVERY = 100  # utterances between two reports of progress


class TableCorpus(Corpus):
    """Tables or cut manifests of the user's own; see the module.

    Args:
        train, dev, test: paths; `test` may be absent.
        transcript: name of the transcript rule.
        columns: the names of the tables' columns.
        skip_unreadable: leave out utterances whose audio cannot be used, instead of refusing them.
    """

    name: ClassVar[str] = "table"

    def __init__(
        self,
        train: str | None,
        dev: str | None,
        test: str | None = None,
        transcript: str = "english",
        columns: Columns | None = None,
        skip_unreadable: bool = False,
    ) -> None:
        self.paths = {"train": train, "dev": dev, "test": test}
        self.transcript = transcript
        self.columns = columns
        self.skip_unreadable = skip_unreadable

    def _tables(self) -> dict[str, Path]:
        for split in ("train", "dev"):
            if not self.paths[split]:
                raise UsageError(f"corpus.{split} is not set: corpus=table needs corpus.{split}=FILE.tsv")
        chosen = {split: expanded(path) for split, path in self.paths.items() if path}
        for split, table in chosen.items():
            if not table.is_file():  # before it is resolved, which a link to itself cannot be
                raise LasasrError(f"corpus.{split}={table} is missing, or no file")
        tables = {split: table.resolve() for split, table in chosen.items()}
        for split, table in tables.items():
            if self.columns is None and not table.name.endswith((".tsv", ".jsonl", ".jsonl.gz")):
                raise UsageError(f"corpus.{split}={self.paths[split]} is neither .tsv nor .jsonl nor .jsonl.gz")
        return tables

    def identity(self) -> Mapping[str, Any]:
        """Includes what the tables hold, so that an edited table is another corpus."""
        tables = self._tables()
        columns = {} if self.columns is None else {"columns": asdict(self.columns)}
        skipping = {"skip_unreadable": True} if self.skip_unreadable else {}
        return (
            columns
            | skipping
            | {
                split: {"table": str(table), "sha256": hashlib.sha256(table.read_bytes()).hexdigest()}
                for split, table in tables.items()
            }
        )

    def remarks(self) -> Mapping[str, str]:
        """The columns that are not read, and what may be meant by their names."""
        tables = {split: table for split, table in self._tables().items() if not holds_cuts(table)}
        lines = {split: unread(table, self.columns) for split, table in tables.items()}
        return {split: f"{tables[split].name}: {line}" for split, line in lines.items() if line}

    def prepare(self, folder: Path, progress: Progress) -> dict[str, Path]:
        manifests = {}
        for split, table in self._tables().items():
            manifests[split] = folder.resolve() / f"{split}.jsonl.gz"
            if not manifests[split].exists():
                _print_unread(split, table, self.columns)
                cuts = self._cuts(table, manifests[split], folder.resolve() / "audio" / split)
                write_cuts(_reported(cuts, split, progress), manifests[split])
        return manifests

    def _cuts(self, table: Path, manifest: Path, downmixed: Path) -> Iterator[MonoCut]:
        if holds_cuts(table):
            yield from foreign_cuts(table, downmixed, manifest, self.skip_unreadable)
            return
        sizes: dict[Path, Size | LasasrError] = {}

        def cut(numbered: tuple[int, Row]) -> MonoCut:
            number, row = numbered
            return _cut(row, _size(row, sizes), downmixed / f"{number:06d}.flac")

        numbered = enumerate(rows(table, self.columns))
        yield from skippable(manifest, numbered, lambda item: item[1].id, cut, self.skip_unreadable)


def _print_unread(split: str, table: Path, columns: Columns | None) -> None:
    line = "" if holds_cuts(table) else unread(table, columns)
    if line and launch.helper() is None:
        sys.stderr.write(escaped(f"note: {split}: {table.name}: {line}") + "\n")


def _reported(cuts: Iterator[MonoCut], split: str, progress: Progress) -> Iterator[MonoCut]:
    done = 0
    for done, cut in enumerate(cuts, start=1):
        if done % _EVERY == 0:
            progress(f"reading {split}", done, done)
        yield cut
    progress(f"reading {split}", done, done)


def _size(row: Row, sizes: dict[Path, Size | LasasrError]) -> Size:
    """Of the file of a row; each is looked at once, though several rows may be tried at once."""
    known = sizes.get(row.audio)
    if known is None:
        try:
            known = size(row.audio)
        except LasasrError as error:
            known = error
        sizes[row.audio] = known
    if isinstance(known, LasasrError):
        raise LasasrError(f"{row.where}{known}")
    return known


def _cut(row: Row, audio_size: Size, mono: Path) -> MonoCut:
    """The cut of a row, after its audio was decoded once: by then what is wrong with it costs no training."""
    end_s = _end(row, audio_size)
    rate = audio_size.sampling_rate
    if audio_size.channels == 1:
        whole = recording(f"{row.audio.stem}-{row.id}", row.audio.resolve(), rate, audio_size.samples)
        cut = utterance(row.id, row.text, row.speaker, whole, row.start_s, end_s)
        check_audio(row.where, cut)
        return cut
    channels = read(row.audio, round(row.start_s * rate), round(end_s * rate), row.where)
    samples = mixed(channels, rate, f"audio file {row.audio}", row.where)
    mono = write_downmixed(mono, samples, rate)
    return utterance(row.id, row.text, row.speaker, recording(row.id, mono, rate, len(samples)))


def _end(row: Row, audio_size: Size) -> float:
    if row.end_s is None:
        if row.start_s >= audio_size.duration_s:
            raise LasasrError(f"{row.where}start_s {row.start_s:g} is behind the end of {row.audio}")
        return audio_size.duration_s
    if row.end_s > audio_size.duration_s + _SLACK_S:
        raise LasasrError(
            f"{row.where}end_s {row.end_s:g} is behind the end of {row.audio} ({audio_size.duration_s:g} s)"
        )
    return min(row.end_s, audio_size.duration_s)
