"""A comparison as CSV: a row per system, numbers as they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, Final

from lasasr.comparison.pairs import against, centre, interval_of
from lasasr.report.comparison_columns import sorted_systems

COLUMNS: Final = (
    *("system", "percent", "interval_low", "interval_high", "interval_over", "points", "points_low", "points_high"),
    *("verdict", "p_holm", "detectable_points", "superiority", "about", "against"),
    *("raw_percent", "cer_percent", "errors", "substitutions", "deletions", "insertions", "reference_length"),
    *("parameters", "steps", "train_s", "rtf", "peak_memory_mib", "seeds", "seed_sd", "diverged", "young"),
)


def csv_table(document: Mapping[str, Any]) -> str:
    """The table, with a header; an empty cell is unknown.

    Args:
        document: the contents of comparison.json or of a card.
    """
    name = centre(document)
    differences = {difference.name: difference for difference in against(document, name)}
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for system in sorted_systems(document):
        interval = interval_of(system, document["about"]) or {}
        difference = differences.get(system["name"])
        row = {
            **system,
            "system": system["name"],
            "interval_low": interval.get("low"),
            "interval_high": interval.get("high"),
            "interval_over": interval.get("over"),
            "about": document["about"],
            "against": None if difference is None else name,
            **{key: len(system.get(key, ())) for key in ("seeds", "diverged", "young")},
        }
        if difference is not None:
            row |= {
                "points": difference.points,
                "points_low": difference.low,
                "points_high": difference.high,
                "verdict": difference.word,
                "p_holm": difference.p,
                "detectable_points": difference.detectable,
                "superiority": difference.superiority,
            }
        writer.writerow(row)
    return text.getvalue()
