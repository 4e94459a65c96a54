"""Minutes of own speech and the error rate that they bring, as plain values: the contents of minutes.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lasasr.artifacts import provenance
from lasasr.artifacts.search_identity import search_words
from lasasr.comparison.entries import DecodedRun
from lasasr.comparison.grouping import SystemRuns
from lasasr.errors import LasasrError
from lasasr.metrics.bootstrap import resampled
from lasasr.metrics.significance.scores import Scores, scores

SCHEMA: Final = 1
KIND: Final = "minutes"
_RESAMPLES: Final = 10_000
_LEVELS: Final = (2.5, 97.5)


def document(speaker: str, base: DecodedRun, adapted: Sequence[tuple[float, DecodedRun]]) -> dict[str, Any]:
    """The rows: the base, which had no minutes, then by minutes; of several seeds the mean.

    Args:
        base: what was adapted, decoded on the same utterances.
        adapted: (minutes, run) of each.

    Raises:
        LasasrError: a run was decoded on other utterances than the base.
    """
    before = scores(SystemRuns("0 minutes", (base,)).system(aligned=False))
    rows = [_row(0.0, [base], before)]
    for minutes in sorted({minutes for minutes, _ in adapted}):
        rows.append(_row(minutes, [run for of, run in adapted if of == minutes], before))
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "lasasr": provenance.versions()["lasasr"],
        "speaker": speaker,
        "metric": base.summary["metric"],
        "utterances": len(before.ids),
        "search": search_words(base.summary.get("search")),
        "rows": rows,
    }


def _row(minutes: float, runs: Sequence[DecodedRun], before: Scores) -> dict[str, Any]:
    after = scores(SystemRuns(f"{minutes:g} minutes", tuple(runs)).system(aligned=False))
    if after.ids != before.ids or not np.array_equal(after.lengths, before.lengths):
        raise LasasrError(f"the runs of {minutes:g} minutes were decoded on other utterances than what they adapted")
    lengths, errors = len(runs) * after.lengths, after.errors.sum(0)
    change = errors - len(runs) * before.errors[0]
    return {
        "minutes": minutes,
        "runs": [run.name for run in runs],
        "percent": after.percent,
        "interval": _interval(errors, lengths),
        "points": after.percent - before.percent,
        "points_interval": _interval(change, lengths),
    }


def _interval(errors: NDArray[np.int64], lengths: NDArray[np.int64]) -> list[float] | None:
    """95 % of the bootstrap over utterances, in percent; None of a single one."""
    if len(errors) < 2:
        return None
    low, high = np.percentile(resampled(errors, lengths, _RESAMPLES, 0), _LEVELS)
    return [float(low), float(high)]
