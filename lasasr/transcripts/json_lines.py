"""JSON lines: NeMo's manifests (`text`, `pred_text`), those of others, and results/<split>.jsonl of lasasr."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lasasr.artifacts import files
from lasasr.errors import LasasrError
from lasasr.transcripts.base import Transcripts
from lasasr.transcripts.lines import numbered_lines
from lasasr.transcripts.rows import from_rows


def read(path: Path, columns: Mapping[str, str]) -> Transcripts:
    """One object a line, or a list of objects.

    Args:
        columns: role → key, where it is chosen.

    Raises:
        LasasrError: it is damaged; names file and line.
    """
    return from_rows(path, objects(path), columns)


def objects(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The number and the object of each line, or of each member of a list."""
    lines = numbered_lines(path)
    first = next(lines, None)
    if first is not None and first[1].lstrip().startswith("["):
        yield from enumerate(_list(path), start=1)
        return
    for number, line in (first, *lines) if first else ():
        try:
            row = files.parse_json(line)
        except ValueError as error:
            raise LasasrError(f"{path}, line {number}: it is not JSON ({error})") from None
        yield number, _object(path, number, row)


def _list(path: Path) -> list[Mapping[str, Any]]:
    return [_object(path, number, row) for number, row in enumerate(files.read_json(path), start=1)]


def _object(path: Path, number: int, row: Any) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise LasasrError(f"{path}, line {number}: it is no object of keys and values")
    return row
