"""A comparison for the terminal: as many columns as it is wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lasasr.report.comparison_columns import Column, columns, searched_with, test_set

NARROWEST = 16  # characters of the first column, which may break lines
_GAP = 2


def comparison_table(made: Mapping[str, Any], width: int) -> RenderableType:
    """The verdict, the table, and which columns did not fit.

    Args:
        made: the contents of comparison.json.
        width: characters of a line.
    """
    every = columns(made)
    shown = _fitting(every, width)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for one in shown:
        wrapped = one.key == "system"
        table.add_column(one.header, justify="right" if one.number else "left", no_wrap=not wrapped, overflow="fold")
    for row in zip(*(one.cells for one in shown), strict=True):
        table.add_row(*(Text(cell) for cell in row))
    verdict = Text(made["verdict"][0], style="bold")
    parts: list[RenderableType] = [verdict, Text(""), table, Text("")]
    parts += [Text(one) for one in made["verdict"][1:]]
    parts.append(Text(_legend(made, shown)))
    if hidden := [one.header for one in every if one not in shown]:
        parts.append(Text(f"not shown for want of width: {', '.join(hidden)}"))
    return Group(*parts)


def _fitting(every: Sequence[Column], width: int) -> list[Column]:
    """By priority as long as they fit; the names of systems get what is left, at least NARROWEST."""
    left = width - min(NARROWEST, _widest(every[0]))
    kept = {every[0].key}
    for one in sorted(every[1:], key=lambda column: column.priority):
        if _widest(one) + _GAP <= left:
            left -= _widest(one) + _GAP
            kept.add(one.key)
    return [one for one in every if one.key in kept]


def _widest(column: Column) -> int:
    return max(len(one) for one in (column.header, *column.cells))


def _legend(made: Mapping[str, Any], shown: Sequence[Column]) -> str:
    told = [f"{made['split']}: {test_set(made)}", f"search: {searched_with(made)}"]
    told += [f"{one.header}: {one.about}" for one in shown if one.explained]
    return "; ".join(told)
