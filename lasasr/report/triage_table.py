"""The triage of an evaluation for the terminal, from the plain values that results files hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.columns import Columns
from rich.table import Table

from lasasr.report.escaped_text import escaped_text

MOST = 5  # speakers and words in a line


def triage_table(summary: Mapping[str, Any]) -> Table:
    """A line each for flags, durations, worst speakers, and the most frequent errors of each kind.

    Args:
        summary: the contents of a results/<split>.json with a "triage".
    """
    triage = summary["triage"]
    speakers = [_rated(row["speaker"] or "?", row) for row in triage["by_speaker"] if row["errors"]]
    lines = {
        "flagged": [f"{flag} {count}" for flag, count in triage["flags"].items() if count],
        "by duration": [_rated(_span(row), row) for row in triage["by_duration"]],
        "worst speakers": speakers[:MOST],
        "substituted": [
            f"{reference} -> {hypothesis} {count}" for reference, hypothesis, count in triage["substitutions"]
        ][:MOST],
        "deleted": [f"{reference} {count}" for reference, count in triage["deletions"]][:MOST],
        "inserted": [f"{hypothesis} {count}" for hypothesis, count in triage["insertions"]][:MOST],
    }
    title = escaped_text(f"errors of {summary['split']}", "table.title")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for name, cells in lines.items():
        if cells:
            table.add_row(
                name, Columns([escaped_text(cell) for cell in cells], padding=(0, 3))
            )  # brackets in a word are no markup
    return table


def _span(row: Mapping[str, Any]) -> str:
    end = "" if row["to_s"] is None else f"{row['to_s']:g}"
    return f"{row['from_s']:g}-{end} s"


def _rated(name: str, row: Mapping[str, Any]) -> str:
    percent = "–" if row["percent"] is None else f"{row['percent']:.1f} %"
    return f"{name} {percent} ({row['utterances']})"
