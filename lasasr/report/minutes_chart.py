"""The error rate against the minutes of own speech, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Group, RenderableType
from rich.table import Table

from lasasr.report import figures, paper_figures
from lasasr.report.escaped_text import escaped_text
from lasasr.report.paper_figures import PALETTE, bare, styled
from lasasr.report.tables import INTERVAL

_SIZE_IN = (5.0, 3.5)
_WITHOUT_VALUE = "–"


def minutes_table(document: Mapping[str, Any]) -> RenderableType:
    """One row per amount of speech.

    Args:
        document: the contents of minutes.json.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    headers = ("minutes", "seeds", f"{document['metric'].upper()} %", INTERVAL, "points", "95 % int., points")
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    for row in document["rows"]:
        change = ["", ""] if row["minutes"] == 0.0 else [f"{row['points']:+.2f}", _bounds(row["points_interval"], "+")]
        rate = [f"{row['percent']:.2f}", _bounds(row["interval"])]
        table.add_row(*(escaped_text(cell) for cell in (f"{row['minutes']:g}", str(len(row["runs"])), *rate, *change)))
    legend = (
        f"speaker {document['speaker']}, {document['utterances']} test utterances; bootstrap over utterances; points: "
        f"against 0 minutes, paired. search: {document['search']}"
    )
    return Group(table, escaped_text(legend))


def svg(document: Mapping[str, Any], path: Path) -> None:
    """Write the curve, the same bytes each time."""
    with styled():
        paper_figures.save(draw(document), path, "svg")


def draw(document: Mapping[str, Any]) -> Figure:
    """Minutes to the right, the error rate upwards, with its intervals."""
    figure = figures.blank(*_SIZE_IN)
    axes = figure.subplots()
    minutes, rates = zip(*((row["minutes"], row["percent"]) for row in document["rows"]), strict=True)
    axes.plot(minutes, rates, "o-", color=PALETTE[0], markersize=5)
    for row in document["rows"]:
        if row["interval"] is not None:
            axes.plot([row["minutes"]] * 2, row["interval"], color=PALETTE[0], linewidth=1.2)
    axes.set_xlabel("minutes of own speech")
    axes.set_ylabel(f"{document['metric'].upper()} %")
    axes.set_ylim(bottom=0.0)
    bare(axes)
    return figure


def _bounds(interval: Sequence[float] | None, sign: str = "") -> str:
    return _WITHOUT_VALUE if interval is None else f"{interval[0]:{sign}.2f} to {interval[1]:{sign}.2f}"
