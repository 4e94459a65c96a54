"""Error rates by columns, and calibration, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lasasr.comparison.pairs import centre, labels
from lasasr.report.comparison_columns import sorted_systems
from lasasr.report.escaped_text import escaped_text

_MARKS: Final = {"better": "▲", "worse": "▼", "no difference shown": "", "cannot decide": "?"}


def column_tables(document: Mapping[str, Any]) -> RenderableType:
    """A table per column: a row per part, the rate of each system with the mark of its verdict against the first.

    Args:
        document: the contents of comparison.json, with "by".
    """
    _, short_names = labels(document)
    names = [system["name"] for system in sorted_systems(document)]
    parts: list[RenderableType] = []
    for breakdown in document["by"]:
        table = Table(box=None, pad_edge=False, header_style="bold", title=f"by {breakdown['column']}")
        table.title_justify = "left"
        table.add_column(breakdown["column"], overflow="fold")
        for name in names:
            table.add_column(short_names[name], justify="right", overflow="fold")
        table.add_column("speakers", justify="right")
        for row in breakdown["parts"]:
            cells = [part_cell(row, name, document["about"]) for name in names]
            table.add_row(escaped_text(row["part"]), *(escaped_text(cell) for cell in cells), f"{row['speakers']:,}")
        parts += [Text(""), table]
    about = f"▲ better, ▼ worse than {centre(document)} in this part, ? cannot decide; corrected for systems and parts"
    return Group(*parts, escaped_text(about))


def part_cell(row: Mapping[str, Any], name: str, about: str) -> str:
    """The rate of a system in a part, its interval, and the mark of its verdict against the centre.

    Args:
        row: a part of `comparison.by_column`.
        about: "systems" or "runs", as the whole comparison.
    """
    scope = "verdict" if about == "systems" else "verdict_of_runs"
    rate = row["systems"][name]
    bounds = (rate["mixed"] if about == "systems" else None) or rate["speakers"]
    text = f"{rate['percent']:.2f}" + (f" ({bounds[0]:.2f}–{bounds[1]:.2f})" if bounds else "")
    against = row["against"].get(name)
    return f"{text} {_MARKS[against[scope]]}".rstrip() if against else text


def calibration_table(rows: Sequence[Mapping[str, Any]], level: float) -> RenderableType:
    """How often halves of each system are called different.

    Args:
        rows: of `comparison.json`, "calibration".
        level: of the tests.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("system", overflow="fold")
    for header in ("seeds", "ways to divide", "speakers", "trials", "systems %", "runs %"):
        table.add_column(header, justify="right", no_wrap=True)
    for row in rows:
        shares = ["–" if row["called"][name] is None else f"{row['called'][name]:.1f}" for name in ("systems", "runs")]
        counts = [
            f"{row['groups'][0]} + {row['groups'][1]}",
            str(row["splits"]),
            str(row["speakers"]),
            f"{row['trials']:,}",
        ]
        table.add_row(escaped_text(row["system"]), *counts, *shares)
    about = (
        f"halves of one system, called different at {level:.0%}, in percent of the trials: by the test about systems, "
        f"which should be {100.0 * level:.0f} or less, and by that about these runs, which is higher where seeds "
        f"differ, for other seeds are other models; few ways to divide the seeds make the share rough"
    )
    return Group(Text(""), escaped_text("Calibration", style="bold"), table, escaped_text(about))
