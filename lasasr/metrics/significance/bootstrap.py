"""Bootstrap intervals of a system's rate over its seeds, and of the difference of two systems on the same utterances.

Utterances or whole speakers are drawn with replacement; the models are fixed. The draws are those of
`bootstrap.resampled` (Bisani and Ney 2004, §2 and §3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lasasr.metrics.bootstrap import RESAMPLES, Interval, interval, resampled
from lasasr.metrics.error_rates import Counts
from lasasr.metrics.significance.scores import Scores


@dataclass(frozen=True)
class PairedBootstrap:
    """How the difference of two rates varies with the test set."""

    interval: Interval  # of first − second, percent points
    improved: float | None  # share of draws in which the first has the lower rate (Bisani and Ney 2004, §3)
    p: float | None  # two-sided


def rate_interval(scores: Scores, speakers: bool, level: float, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Percentile interval of the mean over runs of the pooled rate, all runs on the same drawn utterances.

    The mean over runs is the pooled rate of their errors added up. Without any error the interval is that of one run.
    """
    errors = scores.errors.sum(0)
    runs = len(scores.errors) if errors.any() else 1
    counts = [
        Counts(substitutions=int(wrong), reference_length=runs * int(length))
        for wrong, length in zip(errors, scores.lengths, strict=True)
    ]
    bounds = interval(counts, scores.speaker_of.tolist() if speakers else None, level, resamples, seed)
    return replace(bounds, method=bounds.method.replace("clusters", "speakers"))


def paired_bootstrap(
    differences: NDArray[np.int64],
    lengths: NDArray[np.int64],
    level: float,
    what: str,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedBootstrap:
    """Of Σ differences / Σ lengths, with one entry per drawn unit, an utterance or a speaker.

    p = 2·min(1 + #{D* ≤ 0}, 1 + #{D* ≥ 0})/(1 + draws), at most 1: the level at which the percentile interval begins to
    hold 0 (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", §15.4 and §16.4).

    Args:
        differences: (n,) errors of the first − errors of the second.
        lengths: (n,) reference lengths.
        what: plural name of the drawn unit.
    """
    if (lengths > 0).sum() < 2:
        return PairedBootstrap(Interval(None, None, f"none: one of {what} shows no spread"), None, None)
    drawn = resampled(differences, lengths, resamples, seed)
    low, high = np.percentile(drawn, [50.0 * (1.0 - level), 50.0 * (1.0 + level)])
    tail = min(int((drawn <= 0.0).sum()), int((drawn >= 0.0).sum()))
    method = f"{level:.0%} paired bootstrap over {what}, {resamples} resamples, seed {seed}"
    return PairedBootstrap(
        Interval(float(low), float(high), method),
        improved=float((drawn < 0.0).mean()),
        p=min(1.0, 2.0 * (1 + tail) / (1 + len(drawn))),
    )
