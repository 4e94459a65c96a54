"""The rows of a user's table, checked one by one; every complaint names table, line and value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from lasasr.artifacts.files import expanded, parse_json
from lasasr.corpora.columns import Columns
from lasasr.corpora.names import check_id, plain_text, refuse_repeated, unread_line
from lasasr.errors import LasasrError

REQUIRED = ("id", "audio", "text")
OPTIONAL = ("speaker", "start_s", "end_s")


class Row(NamedTuple):
    """One utterance of a table."""

    where: str  # begins an error line
    id: str
    audio: Path
    text: str  # empty where it may be missing
    speaker: str | None
    start_s: float
    end_s: float | None  # None: the end of the file


def rows(table: Path, columns: Columns | None = None, untranscribed: bool = False) -> Iterator[Row]:
    """The rows of a table: JSON lines when it is called `.jsonl`, else lines of separated values.

    Args:
        columns: the names of the table's columns; by default `id`, `audio`, `text` and `speaker`, tab-separated.
        untranscribed: whether the text may be missing or empty.

    Raises:
        LasasrError: the table is missing, empty or no text, a column is missing or stands twice, a value is empty, no
            text, no number or out of its range, or an id occurs twice or holds a control character.
    """
    columns = columns or Columns()
    lines: dict[str, int] = {}
    required = tuple(name for name in REQUIRED if not (untranscribed and name == "text"))
    for number, fields in table_fields(table, columns, required):
        row = _row(table, f"{table}, line {number}: ", columns.fields(fields), required)
        if row.id in lines:
            raise LasasrError(f"{row.where}id {row.id} stands in line {lines[row.id]} already")
        lines[row.id] = number
        yield row
    if not lines:
        raise LasasrError(f"{table} has no utterances")


def unread(table: Path, columns: Columns | None = None) -> str:
    """Which columns (or keys of JSON lines) of a table are not read, and what may be meant; "" where all are.

    Of a table whose columns are configured, which has others on purpose, only those are said that may be meant.

    Raises:
        LasasrError: see `rows`.
    """
    configured, columns = columns is not None, columns or Columns()
    names = dict.fromkeys(name for _, fields in table_fields(table, columns, REQUIRED) for name in fields if name)
    ours = (*columns.required(), columns.speaker, *OPTIONAL[1:])
    others, absent = [name for name in names if name not in ours], [name for name in ours if name not in names]
    return unread_line(others, absent, meant_only=configured)


def read_lines(table: Path) -> list[str]:
    """Lines of a text file.

    Raises:
        LasasrError: it is missing or no UTF-8 text.
    """
    if not table.is_file():
        raise LasasrError(f"table {table} is missing")
    try:
        return table.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise LasasrError(f"table {table} is no UTF-8 text ({error.reason} at byte {error.start})") from None


def table_fields(table: Path, columns: Columns, required: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(line number, value of every column) of a table: JSON lines when it is called `.jsonl`, else separated values.

    Args:
        required: of the names of `Columns`, those that a table of separated values must have.

    Raises:
        LasasrError: see `rows`.
    """
    return _json_lines(table) if table.suffix == ".jsonl" else _separated(table, columns, required)


def _separated(table: Path, columns: Columns, required: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    lines = [line.rstrip("\r") for line in read_lines(table)]
    names, first = (list(columns.names), 1) if columns.names else (lines.pop(0).split(columns.separator), 2)
    missing = [name for name in columns.required(required) if name not in names]
    if missing:
        raise LasasrError(f"{table}, line 1: column {', '.join(missing)} is missing; found {', '.join(names)}")
    refuse_repeated(f"{table}, line 1: " if first == 2 else "corpus.columns.names: ", names)
    for number, line in enumerate(lines, start=first):
        if line.strip():
            values = line.split(columns.separator)
            if len(values) != len(names):
                raise LasasrError(f"{table}, line {number}: {len(values)} values for {len(names)} columns")
            yield number, dict(zip(names, values, strict=True))


def _json_lines(table: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(read_lines(table), start=1):
        if not line.strip():
            continue
        where = f"{table}, line {number}: "
        try:
            fields = parse_json(line, partial(_object, where))
        except ValueError as error:
            reason = getattr(error, "msg", error)
            raise LasasrError(f"{where}not valid JSON ({reason})") from None
        if not isinstance(fields, dict):
            raise LasasrError(f"{where}not an object with id, audio and text")
        yield number, fields


def _object(where: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    refuse_repeated(where, (key for key, _ in pairs))
    return dict(pairs)


def _row(table: Path, where: str, fields: Mapping[str, Any], required: Sequence[str]) -> Row:
    values = {
        name: plain_text(where, name, fields[name]).strip()
        for name in (*REQUIRED, "speaker")
        if fields.get(name) is not None
    }
    for name in required:
        if name not in fields:
            raise LasasrError(f"{where}{name} is missing")
        if not values.get(name):
            raise LasasrError(f"{where}{name} is empty" + (f" (id {values['id']})" if values.get("id") else ""))
    check_id(where, values["id"])
    start_s, end_s = _seconds(where, "start_s", fields), _seconds(where, "end_s", fields)
    if end_s is not None and end_s <= (start_s or 0.0):
        raise LasasrError(f"{where}start_s {start_s or 0.0:g} is not before end_s {end_s:g}")
    audio = table.parent / expanded(values["audio"])
    return Row(where, values["id"], audio, values.get("text", ""), values.get("speaker") or None, start_s or 0.0, end_s)


def _seconds(where: str, name: str, fields: Mapping[str, Any]) -> float | None:
    value = fields.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        raise LasasrError(f"{where}{name} {value!a} is not a number of seconds") from None
    if not math.isfinite(seconds) or seconds < 0:
        raise LasasrError(f"{where}{name} {seconds:g} is not a time within a recording")
    return seconds
