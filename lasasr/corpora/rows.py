"""The rows of a user's table, checked one by one; every complaint names table, line and value."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from lasasr.artifacts.files import expanded
from lasasr.corpora.columns import NEMO, Columns
from lasasr.corpora.names import check_id, plain_text, unread_line
from lasasr.corpora.table_files import OTHER_COLUMNS, Fields, read_fields
from lasasr.errors import LasasrError

REQUIRED = ("id", "audio", "text")


class Row(NamedTuple):
    """One utterance of a table."""

    where: str  # begins an error line
    id: str
    audio: Path
    text: str  # empty where it may be missing
    speaker: str | None
    start_s: float
    end_s: float | None  # None: the end of the file
    lasts_s: float | None = None  # what its source says that it lasts; None: it does not say


def rows(table: Path, columns: Columns | None = None, untranscribed: bool = False) -> Iterator[Row]:
    """The rows of a table: JSON lines (`.jsonl`), JSON lines or a list (`.json`), else lines of separated values.

    Keys of NeMo's manifests (`audio_filepath`, `offset`, `duration`) are known. Where no line has an id, the names of
    the audio files are the ids.

    Args:
        columns: the names of the table's columns; by default `id`, `audio`, `text`, `speaker`, `start_s`, `end_s`.
        untranscribed: whether the text may be missing or empty.

    Raises:
        LasasrError: the table is missing, empty or no text, a column is missing or stands twice, a value is empty, no
            text, no number or out of its range, or an id occurs twice or holds a control character.
    """
    required = tuple(name for name in REQUIRED if not (untranscribed and name == "text"))
    lines: dict[str, int] = {}
    for number, fields in _identified(table, _named(table, columns, required)):
        row = _row(table, f"{table}, line {number}: ", fields, required)
        if row.id in lines:
            raise LasasrError(f"{row.where}id {row.id} stands in line {lines[row.id]} already")
        lines[row.id] = number
        yield row
    if not lines:
        raise LasasrError(f"{table} has no utterances")


def _named(table: Path, columns: Columns | None, required: Sequence[str]) -> list[tuple[int, dict[str, Any]]]:
    """(line number, values by our names)."""
    configured, columns = columns is not None, columns or Columns()
    roles = [role for role in required if role != "id" or columns.id != "id"]
    lines = read_fields(table, columns, columns.required(roles))
    return [(number, columns.fields(fields if configured else _from_nemo(fields))) for number, fields in lines]


def _from_nemo(fields: Fields) -> Fields:
    """A line of a manifest of NeMo by our names; any other line as it is."""
    if "audio" in fields or NEMO["audio"] not in fields:
        return fields
    named = {name: value for name, value in fields.items() if name not in NEMO.values()}
    named |= {ours: fields[theirs] for ours, theirs in NEMO.items() if theirs in fields and ours != "end_s"}
    start_s, end_s = fields.get(NEMO["start_s"]) or 0.0, fields.get(NEMO["end_s"])
    if isinstance(start_s, int | float) and isinstance(end_s, int | float) and not isinstance(end_s, bool):
        end_s += start_s
    return named | {"end_s": end_s}  # one that is no number is refused by its own name


def _identified(table: Path, lines: list[tuple[int, dict[str, Any]]]) -> list[tuple[int, dict[str, Any]]]:
    """The lines with ids: where none has one, made of the names of the audio files."""
    if any("id" in fields for _, fields in lines):
        return lines
    audio = [fields["audio"] if isinstance(fields.get("audio"), str) else "" for _, fields in lines]
    stems = {path: PurePath(path).stem for path in audio}
    unique, uses = len(set(stems.values())) == len(stems), Counter(audio)
    ids = [stems[path] if unique else str(PurePath(path).with_suffix("")) if stems[path] else "" for path in audio]
    for (number, fields), name, path in zip(lines, ids, audio, strict=True):
        if name and uses[path] > 1:  # parts of one file: from when they are
            start_s = _seconds(f"{table}, line {number}: ", "start_s", fields) or 0.0
            name = f"{name}-{round(1000 * start_s):07d}"
        fields["id"] = name
    return lines


def unread(table: Path, columns: Columns | None = None) -> str:
    """Which columns (or keys of JSON lines) of a table are not read, and what may be meant; "" where all are.

    Of a table whose columns are configured, which has others on purpose, only those are said that may be meant.

    Raises:
        LasasrError: see `rows`.
    """
    configured, columns = columns is not None, columns or Columns()
    names = dict.fromkeys(name for _, fields in read_fields(table, columns, ()) for name in fields if name)
    ours = list(dict.fromkeys(columns.by_role.values()))
    if not configured and "audio" not in names and NEMO["audio"] in names:
        ours = [NEMO.get(name, name) for name in ours]
    others, absent = [name for name in names if name not in ours], [name for name in ours if name not in names]
    return unread_line(others, absent, meant_only=configured)


def _row(table: Path, where: str, fields: Mapping[str, Any], required: Sequence[str]) -> Row:
    values = {
        name: plain_text(where, name, fields[name]).strip()
        for name in (*REQUIRED, "speaker")
        if fields.get(name) is not None
    }
    for name in required:
        if name not in fields:
            raise LasasrError(f"{where}{name} is missing: add it; {OTHER_COLUMNS}")
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
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = None
    if seconds is None or isinstance(value, bool):
        raise LasasrError(f"{where}{name} {value!a} is not a number of seconds")
    if not math.isfinite(seconds) or seconds < 0:
        raise LasasrError(f"{where}{name} {seconds:g} is not a time within a recording")
    return seconds
