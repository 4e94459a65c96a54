"""Error rates of files of texts for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from lasasr.report.escaped_text import escaped_text
from lasasr.report.tables import INTERVAL

_WITHOUT_VALUE = "–"


def score_table(rows: Sequence[Mapping[str, Any]], notes: Sequence[str]) -> RenderableType:
    """One row per file, and below what the rates are of.

    Args:
        rows: of `comparison.score.scored_files`.
        notes: what limits them.
    """
    first = rows[0]
    metric = first["metric"].upper()
    raw = any(row["raw_percent"] is not None for row in rows)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("file", overflow="fold")
    headers = [f"{metric} %", INTERVAL, *(["raw %"] if raw else []), "sub", "del", "ins", "of"]
    for header in [*headers, *(["CER %"] if metric == "WER" else [])]:
        table.add_column(header, justify="right", no_wrap=True)
    for row in rows:
        bounds = row["ci95"]
        cells = [
            f"{row['percent']:.2f}",
            _WITHOUT_VALUE if bounds is None else f"{bounds[0]:.2f} to {bounds[1]:.2f}",
            *([_percent(row["raw_percent"])] if raw else []),
            *(f"{row[name]:,}" for name in ("substitutions", "deletions", "insertions", "reference_length")),
            *([_percent(row["cer_percent"])] if metric == "WER" else []),
        ]
        table.add_row(escaped_text(row["file"]), *cells)
    speakers = f"{first['speakers']:,} speakers" if first["speakers"] else "unknown speakers"
    about = f"{first['utterances']:,} utterances of {speakers}; normalizer {first['normalizer']}"
    if raw:
        about += "; raw: without it"
    return Group(
        table,
        escaped_text(f"{about}; interval of the {metric}: {first['ci_method']}"),
        *(escaped_text(f"Note: {note}.") for note in notes),
    )


def _percent(value: float | None) -> str:
    return _WITHOUT_VALUE if value is None else f"{value:.2f}"
