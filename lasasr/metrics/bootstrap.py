"""How far an error rate would move on other test utterances of the same kind.

The bootstrap of Bisani and Ney 2004 ("Bootstrap estimates for confidence intervals in ASR performance evaluation",
ICASSP, §2): utterances are drawn with replacement, the pooled rate of each draw is taken, and the interval lies
between percentiles of these rates. Utterances of one speaker resemble each other; drawing whole speakers (clusters)
respects that and gives the wider, more honest interval where there are enough of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lasasr.metrics.error_rates import Counts, pooled

RESAMPLES = 10_000
_AT_ONCE = 2_000_000  # drawn indices held in memory


@dataclass(frozen=True)
class Interval:
    """Where a pooled rate lies, in percent."""

    low: float | None  # None where no interval exists
    high: float | None
    method: str  # in words, for results and tables

    @property
    def bounds(self) -> list[float] | None:
        """[low, high] as results hold it, or None."""
        return None if self.low is None or self.high is None else [self.low, self.high]


def interval(
    counts: Sequence[Counts],
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of the pooled rate; equal arguments give an equal interval.

    Two cases have no bootstrap, and `method` says so: a single utterance (or cluster) shows no spread, so there is
    no interval; without any error every draw is 0, so the upper end is the exact binomial one, which takes errors
    as independent: 100 · (1 − ((1 − level)/2)^(1/N)) (Clopper and Pearson 1934).

    Args:
        counts: one per utterance, or per other unit that is drawn.
        clusters: of each utterance (its speaker); whole clusters are drawn in place of utterances.

    Raises:
        LasasrError: all references are empty, so there is no rate.
        ValueError: `clusters` are not as many as `counts`, or `level` is not between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    total = pooled(counts)
    percent = total.percent
    what = "utterances" if clusters is None else "clusters"
    errors, lengths = _sums(counts, range(len(counts)) if clusters is None else clusters)
    if len(errors) == 1:
        return Interval(None, None, f"none: one of {what} shows no spread")
    if percent == 0.0:
        high = 100.0 * (1.0 - ((1.0 - level) / 2.0) ** (1.0 / total.reference_length))
        return Interval(0.0, high, f"{level:.0%} exact binomial over reference units, as there is no error")
    rates = resampled(errors, lengths, resamples, seed)
    low, high = np.percentile(rates, [50.0 * (1.0 - level), 50.0 * (1.0 + level)])
    return Interval(
        float(low), float(high), f"{level:.0%} percentile bootstrap over {what}, {resamples} resamples, seed {seed}"
    )


def _sums(counts: Sequence[Counts], clusters: Sequence[Hashable]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Errors and reference length of each cluster, in order of first appearance."""
    if len(clusters) != len(counts):
        raise ValueError(f"clusters must be as many as counts ({len(counts)}), got {len(clusters)}")
    sums: dict[Hashable, Counts] = {}
    for cluster, count in zip(clusters, counts, strict=True):
        sums[cluster] = sums.get(cluster, Counts()) + count
    pairs = np.array([(total.errors, total.reference_length) for total in sums.values()], dtype=np.int64)
    return pairs[:, 0], pairs[:, 1]


def resampled(errors: NDArray[np.int64], lengths: NDArray[np.int64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Pooled rates (resamples,) in percent, each of as many utterances as there are, drawn with replacement.

    Draws whose references are all empty have no rate and are left out (they need mostly empty references).
    """
    generator = np.random.default_rng(seed)
    rows = max(1, _AT_ONCE // len(errors))
    rates = []
    for done in range(0, resamples, rows):
        drawn = generator.integers(len(errors), size=(min(rows, resamples - done), len(errors)))
        length = lengths[drawn].sum(1)
        rates.append(100.0 * errors[drawn].sum(1)[length > 0] / length[length > 0])
    return np.concatenate(rates)
