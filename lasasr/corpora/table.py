"""One's own recordings: a table or a Lhotse cut manifest per split.

A table is separated by tabs (`.tsv`) or commas (`.csv`) with a line of column names, or JSON lines (`.jsonl`, `.json`),
with `audio` (a path, absolute or relative to the table) and `text`, and optionally `id`, `speaker`, `start_s` and
`end_s`; manifests of NeMo are known. A `.jsonl.gz`, or a `.jsonl` whose lines are cuts, is read as a cut manifest.
Recordings of several channels are averaged into one; a sampling rate from 1 to 384 kHz is kept, and converted when the
audio is loaded. For tables with other column names (Common Voice, LJSpeech) set `columns`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lhotse import MonoCut

from lasasr.artifacts.files import expanded
from lasasr.corpora.columns import Columns, columns_from
from lasasr.corpora.division import Division
from lasasr.corpora.foreign_cuts import foreign_cuts, holds_cuts
from lasasr.corpora.listed import ListedCorpus, print_note
from lasasr.corpora.rows import Row, rows, unread
from lasasr.corpora.table_files import SUFFIXES
from lasasr.errors import LasasrError, UsageError, looked_up


class TableCorpus(ListedCorpus):
    """Tables or cut manifests of the user's own; see the module.

    Args:
        train, dev, test: paths; without `dev` the table of train is divided.
        transcript: name of the transcript rule.
        columns: the names of the tables' columns, as `Columns` or as a mapping of its names.
        skip_unreadable: leave out utterances whose audio cannot be used, instead of refusing them.
        split_by, split_seed, held_out: how one table is divided; see `Division`.
    """

    name: ClassVar[str] = "table"
    form = "FILE.tsv (.tsv, .csv, .jsonl, .json, or cuts in .jsonl.gz)"

    def __init__(
        self,
        train: str | None,
        dev: str | None = None,
        test: str | None = None,
        transcript: str = "english",
        columns: Columns | Mapping[str, Any] | None = None,
        skip_unreadable: bool = False,
        split_by: str = "speaker",
        split_seed: int = 1,
        held_out: float = 0.1,
    ) -> None:
        super().__init__(train, dev, test, transcript, skip_unreadable, Division(split_by, split_seed, held_out))
        self.columns = columns_from(columns)

    def _table(self, split: str) -> Path:
        table = expanded(self.given[split])
        if not table.is_file():  # before it is resolved, which a link to itself cannot be
            folder = ", a folder: corpus=folder or corpus=kaldi reads folders" if table.is_dir() else ""
            raise LasasrError(f"corpus.{split}={table}{folder or f' is missing{looked_up(table)}'}")
        table = table.resolve()
        if self.columns is None and not table.name.endswith((*SUFFIXES, ".jsonl.gz")):
            raise UsageError(f"corpus.{split}={self.given[split]} is none of {', '.join(SUFFIXES)}, .jsonl.gz")
        return table

    def content(self, split: str) -> Mapping[str, Any]:
        """The path and the digest of a table."""
        table = self._table(split)
        return {"table": str(table), "sha256": hashlib.sha256(table.read_bytes()).hexdigest()}

    def identity(self) -> Mapping[str, Any]:
        """Includes the names of the columns."""
        return ({} if self.columns is None else {"columns": self.columns.identity()}) | {**super().identity()}

    def remarks(self) -> Mapping[str, str]:
        """The columns that are not read, and what may be meant by their names."""
        self.check_given()
        tables = {split: table for split in self.given if not holds_cuts(table := self._table(split))}
        lines = {split: unread(table, self.columns) for split, table in tables.items()}
        return {split: f"{tables[split].name}: {line}" for split, line in lines.items() if line}

    def rows(self, split: str, folder: Path) -> Sequence[Row]:
        """The rows of a table."""
        table = self._table(split)
        if holds_cuts(table):
            raise UsageError(f"corpus.dev is not set, and cuts are not divided: corpus.{split}={table} is a manifest")
        if line := unread(table, self.columns):
            print_note(f"{split}: {table.name}: {line}")
        return list(rows(table, self.columns))

    def _cuts(self, split: str, part: Sequence[Row] | None, manifest: Path) -> Iterator[MonoCut]:
        if part is None and holds_cuts(table := self._table(split)):
            return foreign_cuts(table, manifest.parent / "audio" / split, manifest, self.skip_unreadable)
        return super()._cuts(split, part, manifest)
