"""The lines of a table as values by column: separated by tabs or commas, JSON lines, or a JSON list."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from lasasr.artifacts.files import parse_json
from lasasr.corpora.columns import Columns
from lasasr.corpora.names import refuse_repeated
from lasasr.errors import LasasrError, looked_up

SUFFIXES: Final = (".tsv", ".csv", ".jsonl", ".json")
JSON: Final = (".jsonl", ".json")
OTHER_COLUMNS: Final = "corpus.columns={ours: theirs} names others, as corpus.columns={text: sentence}"

Fields = Mapping[str, Any]  # value of every column


def read_fields(table: Path, columns: Columns, required: Sequence[str]) -> Iterator[tuple[int, Fields]]:
    """(line number, values by column); of a JSON list, the number of the object.

    Args:
        required: the columns without which a line of names is wrong.

    Raises:
        LasasrError: the table is missing or no text, a column is missing or stands twice, or a line is damaged.
    """
    return _json(table) if table.suffix in JSON else _separated(table, columns, required)


def read_lines(table: Path) -> list[str]:
    """Lines of a text file.

    Raises:
        LasasrError: it is missing or no UTF-8 text.
    """
    if not table.is_file():
        raise LasasrError(f"table {table} is missing{looked_up(table)}")
    try:
        return table.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise LasasrError(f"table {table} is no UTF-8 text ({error.reason} at byte {error.start})") from None


def _separated(table: Path, columns: Columns, required: Sequence[str]) -> Iterator[tuple[int, Fields]]:
    lines = [line.rstrip("\r") for line in read_lines(table)]
    if table.suffix == ".csv" and columns.separator == "\t" and "\t" not in lines[0]:
        rows = _comma_separated(table, lines)
    else:
        rows = ((number, line.split(columns.separator)) for number, line in enumerate(lines, start=1) if line.strip())
    if columns.names:
        names = list(columns.names)
    else:
        number, names = next(rows, (1, [""]))
    missing = [name for name in required if name not in names]
    if missing:
        shown = ", ".join(names) or "nothing"
        raise LasasrError(f"{table}, line 1: column {', '.join(missing)} is missing; found {shown}; {OTHER_COLUMNS}")
    refuse_repeated("corpus.columns.names: " if columns.names else f"{table}, line 1: ", names)
    for number, values in rows:
        if len(values) != len(names):
            raise LasasrError(f"{table}, line {number}: {len(values)} values for {len(names)} columns")
        yield number, dict(zip(names, values, strict=True))


def _comma_separated(table: Path, lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Values in quotes may hold commas, quotes (written twice) and line ends, as spreadsheets write them."""
    reader = csv.reader((f"{line}\n" for line in lines), strict=True)
    first = 1
    try:
        for values in reader:
            if values:
                yield first, values
            first = reader.line_num + 1
    except csv.Error as error:
        raise LasasrError(f"{table}, line {first}: {error}; a quote inside a value is written twice") from None


def _json(table: Path) -> Iterator[tuple[int, Fields]]:
    lines = read_lines(table)
    if next((line for line in lines if line.strip()), "").lstrip().startswith("[") and table.suffix == ".json":
        listed = _parsed(table, 1, "\n".join(lines))
        yield from ((number, _checked(table, number, row)) for number, row in enumerate(listed, start=1))
        return
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, _checked(table, number, _parsed(table, number, line))


def _parsed(table: Path, number: int, text: str) -> Any:
    where = f"{table}, line {number}: "
    try:
        return parse_json(text, partial(_object, where))
    except ValueError as error:
        raise LasasrError(f"{where}not valid JSON ({getattr(error, 'msg', error)})") from None


def _checked(table: Path, number: int, row: Any) -> Fields:
    if not isinstance(row, dict):
        raise LasasrError(f"{table}, line {number}: not an object with audio and text")
    return row


def _object(where: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    refuse_repeated(where, (key for key, _ in pairs))
    return dict(pairs)
