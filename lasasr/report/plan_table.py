"""A plan for the terminal: sentences, a table, and the curve of what would show over the number of seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lasasr.remaining import duration
from lasasr.report.escaped_text import escaped_text

BAR: Final = 20  # characters of the longest bar
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


def plan_table(contents: Mapping[str, Any]) -> RenderableType:
    """The plan.

    Args:
        contents: of `comparison.plan.plan`.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    timed = contents["hours_per_run"] is not None
    headers = ["seeds", "runs", *(["training"] if timed else []), "shows", "cautious", "power", "speakers"]
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column(f"shows; │ {contents['points']:g}", no_wrap=True)
    most = max(*(row["detectable"] for row in contents["designs"]), contents["points"])
    for row in contents["designs"]:
        enough = row["detectable"] <= contents["points"]
        cells = [
            str(row["seeds"]),
            str(row["runs"]),
            *([duration(3600.0 * row["hours"])] if timed else []),
            f"{row['detectable']:.2f}",
            f"{row['detectable_cautious']:.2f}",
            f"{100.0 * row['power']:.0f} %",
            "–" if row["speakers"] is None else f"{row['speakers']:,}",
        ]
        table.add_row(*(escaped_text(cell, style="bold" if enough else "") for cell in cells), bar(row, contents, most))
    first, *others = contents["words"]
    legend = (
        f"shows: smallest difference found with {contents['power']:.0%} power on this test set, points; cautious: the "
        f"same with the seeds' spread at its upper 80 % limit; power: of finding {contents['points']:g} points; "
        f"speakers: needed for {contents['points']:g} points with so many seeds, {contents['speakers']:,} are there"
    )
    return Group(
        escaped_text(first, style="bold"),
        *(escaped_text(sentence) for sentence in others),
        Text(""),
        table,
        escaped_text(legend),
    )


def bar(row: Mapping[str, Any], contents: Mapping[str, Any], most: float) -> Text:
    """A bar as long as the difference that shows, with a mark at the wanted one."""
    eighths = round(8 * BAR * row["detectable"] / most)
    cells = list(("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).ljust(BAR + 1))
    mark = round(BAR * contents["points"] / most)
    cells[mark] = "┃" if cells[mark] == "█" else "│"
    return escaped_text("".join(cells).rstrip())
