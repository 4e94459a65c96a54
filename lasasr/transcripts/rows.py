"""Rows with named columns, of JSON lines and of tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any, Final

from lasasr.errors import LasasrError, nearest
from lasasr.transcripts.base import ROLES, Collected, Transcripts

# role → the names that it is looked for under, the first that is there counts
NAMES: Final = {
    "id": ("id", "utt_id", "utterance_id", "utt", "key", "audio_filepath", "audio", "path", "file"),
    "reference": ("reference", "ref", "text", "transcript", "sentence", "target"),
    "hypothesis": ("hypothesis", "hyp", "pred_text", "prediction", "pred", "predicted_text"),
    "speaker": ("speaker", "speaker_id", "spk", "spk_id", "client_id"),
    "duration": ("duration_s", "duration"),
}
_PATHS: Final = ("audio_filepath", "audio", "path", "file")


def from_rows(path: Path, rows: Iterable[tuple[int, Mapping[str, Any]]], columns: Mapping[str, str]) -> Transcripts:
    """The texts of rows.

    Args:
        rows: number of the line, and the row.
        columns: role → name of its column, where it is chosen.

    Raises:
        LasasrError: a chosen column is missing, there is none of ids, or a value is no text; names file and line.
    """
    listed = list(rows)
    if not listed:
        raise LasasrError(f"{path} holds no utterance")
    present = dict.fromkeys(key for _, row in listed[:1] for key in row)
    chosen = _chosen(path, present, columns)
    collected = Collected(path)
    by_role: dict[str, dict[str, Any]] = {role: {} for role in ROLES if role in chosen}
    others: dict[str, dict[str, str]] = {name: {} for name in present if name not in chosen.values()}
    for number, row in listed:
        key = collected.new(_id(path, number, row, chosen["id"]), number)
        for role, values in by_role.items():
            if role != "id" and (value := _value(path, number, row, chosen[role], role)) is not None:
                values[key] = value
        for name, values in others.items():
            if isinstance(value := row.get(name), str | int | float | bool):
                values[key] = str(value)
    return Transcripts(
        path,
        references=by_role.get("reference"),
        hypotheses=by_role.get("hypothesis"),
        speakers=by_role.get("speaker", {}),
        durations_s=by_role.get("duration", {}),
        columns={name: values for name, values in others.items() if values},
    )


def columns_by_id(
    path: Path, rows: Iterable[tuple[int, Mapping[str, Any]]], id_column: str | None
) -> dict[str, dict[str, str]]:
    """Column → id → value of every other column.

    Args:
        id_column: None: found by its usual names, those of speakers too, else the first column.

    Raises:
        LasasrError: there is no such column, or an id stands twice.
    """
    collected = Collected(path)
    columns: dict[str, dict[str, str]] = {}
    for number, row in rows:
        if id_column is None:
            usual = (*NAMES["id"], *NAMES["speaker"])
            id_column = next((name for name in usual if name in row), next(iter(row), ""))
        if id_column not in row:
            raise LasasrError(f"{path}, line {number}: there is no {id_column}; {nearest(id_column, row)}")
        key = collected.new(_id(path, number, row, id_column), number)
        for name, value in row.items():
            if name != id_column and isinstance(value, str | int | float | bool):
                columns.setdefault(name, {})[key] = str(value)
    return columns


def _chosen(path: Path, present: Mapping[str, None], columns: Mapping[str, str]) -> dict[str, str]:
    for role, name in columns.items():
        if name not in present:
            raise LasasrError(f"{path} has no column {name} (--columns {role}={name}); {nearest(name, present)}")
    taken = set(columns.values())
    usual = {
        role: next((name for name in names if name in present and name not in taken), None)
        for role, names in NAMES.items()
        if role not in columns
    }
    chosen = {**columns, **{role: name for role, name in usual.items() if name is not None}}
    if "id" not in chosen:
        raise LasasrError(f"{path} has no column of utterance ids ({', '.join(present)}); --columns id=NAME names it")
    return chosen


def _id(path: Path, number: int, row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise LasasrError(f"{path}, line {number}: {name} is {value!r}, not the id of an utterance")
    text = str(value).strip()
    return PurePath(text).stem if name in _PATHS else text


def _value(path: Path, number: int, row: Mapping[str, Any], name: str, role: str) -> str | float | None:
    value = row.get(name)
    if role == "duration":
        return _duration_s(path, number, name, value)
    if role == "speaker":
        return None if value in (None, "") else str(value)
    if not isinstance(value, str):
        raise LasasrError(f"{path}, line {number}: {name} is {value!r}, not a text")
    return value


def _duration_s(path: Path, number: int, name: str, value: Any) -> float | None:
    if value in (None, ""):
        return None
    try:
        duration_s = float(value)
    except (TypeError, ValueError):
        duration_s = math.nan
    if not 0.0 <= duration_s < math.inf:
        raise LasasrError(f"{path}, line {number}: {name} is {value!r}, not a duration in seconds")
    return duration_s
