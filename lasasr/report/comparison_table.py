"""A comparison for the terminal: as many columns as it is wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from lasasr.comparison.budget import budget_words
from lasasr.report.comparison_columns import TableColumn, columns, searched_with, test_set
from lasasr.report.escaped_text import escaped_text

NARROWEST = 16  # characters of the first column, which may break lines
_GAP = 2


def comparison_table(document: Mapping[str, Any], width: int) -> RenderableType:
    """The verdict, the table, and which columns did not fit.

    Args:
        document: the contents of comparison.json.
        width: characters of a line.
    """
    all_columns = columns(document)
    shown = _fitting(all_columns, width)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for column in shown:
        wrapped = column.key == "system"
        table.add_column(
            column.header, justify="right" if column.number else "left", no_wrap=not wrapped, overflow="fold"
        )
    for row in zip(*(column.cells for column in shown), strict=True):
        table.add_row(*(escaped_text(cell) for cell in row))
    verdict = escaped_text(document["verdict"][0], style="bold")
    parts: list[RenderableType] = [verdict, escaped_text(""), table, escaped_text("")]
    parts += [escaped_text(sentence) for sentence in document["verdict"][1:]]
    parts.append(escaped_text(_legend(document, shown)))
    if hidden := [column.header for column in all_columns if column not in shown]:
        parts.append(escaped_text(f"not shown for want of width: {', '.join(hidden)}"))
    return Group(*parts)


def _fitting(all_columns: Sequence[TableColumn], width: int) -> list[TableColumn]:
    """The columns that fit, by priority; the names of systems get the remaining width, at least NARROWEST."""
    left = width - min(NARROWEST, _widest(all_columns[0]))
    kept = {all_columns[0].key}
    for column in sorted(all_columns[1:], key=lambda column: column.priority):
        if _widest(column) + _GAP <= left:
            left -= _widest(column) + _GAP
            kept.add(column.key)
    return [column for column in all_columns if column.key in kept]


def _widest(column: TableColumn) -> int:
    return max(len(text) for text in (column.header, *column.cells))


def _legend(document: Mapping[str, Any], shown: Sequence[TableColumn]) -> str:
    texts = [f"{document['split']}: {test_set(document)}", f"search: {searched_with(document)}"]
    budgets = document["budgets"]
    if document["pairs"] and any(budget["most"] is not None for budget in budgets.values()):  # of texts none is known
        texts.append(f"budgets: {budget_words(budgets)}")
    texts += [f"{column.header}: {column.about}" for column in shown if column.explained]
    return "; ".join(texts)
