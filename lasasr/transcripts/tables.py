"""Tables with a header: CSV and TSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lasasr.errors import LasasrError
from lasasr.transcripts.base import Transcripts
from lasasr.transcripts.lines import numbered_lines
from lasasr.transcripts.rows import from_rows


def read(path: Path, columns: Mapping[str, str]) -> Transcripts:
    """A table whose first line names the columns; tabs separate them where that line has any, else commas.

    Args:
        columns: role → column, where it is chosen.

    Raises:
        LasasrError: it is damaged; names file and line.
    """
    return from_rows(path, rows(path), columns)


def rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The number and the cells of each row by column."""
    lines = [f"{line}\n" for _, line in numbered_lines(path)]
    if not lines:
        return
    tabs = "\t" in lines[0]
    reader = csv.reader(lines, delimiter="\t" if tabs else ",", quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL)
    try:
        header = [name.strip() for name in next(reader)]
        if len(set(header)) < len(header):
            raise LasasrError(f"{path}: two columns have one name ({', '.join(header)})")
        for number, cells in enumerate(reader, start=2):
            if len(cells) != len(header):
                raise LasasrError(f"{path}, row {number}: {len(cells)} cells, but the header names {len(header)}")
            yield number, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise LasasrError(f"{path}, row {reader.line_num}: {error}") from None
