"""How far an error rate would move on other test utterances of the same kind.

The bootstrap of Bisani and Ney 2004 ("Bootstrap estimates for confidence intervals in ASR performance evaluation",
ICASSP, §2): utterances are drawn with replacement, the pooled rate of each draw is taken, and the interval lies
between percentiles of these rates. Utterances of one speaker resemble each other; drawing whole speakers (clusters)
respects that and gives the wider, more honest interval where there are enough of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lasasr.metrics.error_rates import Counts, pooled

RESAMPLES = 10_000
MOST_DRAWN = 20_000  # utterances, above which equal ones are drawn together
_AT_ONCE = 2_000_000  # drawn indices held in memory
_KEPT = 200_000_000  # draws that are kept for the next system, at most a byte each where many are drawn


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

    Two cases have no bootstrap, and `method` says so: a single utterance (or cluster) with reference units shows no
    spread, so there is no interval; without any error every draw is 0, so the upper end is the exact binomial one,
    which takes errors as independent: 100 · (1 − ((1 − level)/2)^(1/N)) (Clopper and Pearson 1934).

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
    if (lengths > 0).sum() < 2:
        return Interval(None, None, f"none: one of {what} shows no spread")
    if percent == 0.0:
        high = 100.0 * (1.0 - ((1.0 - level) / 2.0) ** (1.0 / total.reference_length))
        return Interval(0.0, high, f"{level:.0%} exact binomial over reference units, as there is no error")
    rates = resampled(errors, lengths, resamples, seed)
    low, high = np.percentile(rates, [50.0 * (1.0 - level), 50.0 * (1.0 + level)])
    return Interval(
        float(low), float(high), f"{level:.0%} percentile bootstrap over {what}, {resamples} resamples, seed {seed}"
    )


def speaker_interval(counts: Sequence[Counts], speakers: Sequence[str | None]) -> Interval:
    """`interval` over speakers where each utterance has one and there are several; else over utterances.

    The interval over utterances is about further utterances of the same voices only.

    Args:
        counts: one per utterance.
        speakers: of each utterance; "" or None: not known.
    """
    named = all(speakers) and len(set(speakers)) > 1
    bounds = interval(counts, speakers if named else None)
    return replace(bounds, method=bounds.method.replace("clusters", "speakers"))


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

    Above `MOST_DRAWN` utterances, those of equal errors and length are drawn together: how often each such group occurs
    among n draws is multinomial, so that the rates have the same distribution. Draws whose references are all empty
    have no rate and are left out (they need mostly empty references).
    """
    rates = []
    if len(errors) > MOST_DRAWN:
        generator = np.random.default_rng(seed)
        pairs, occurrences = np.unique(np.stack([errors, lengths]), axis=1, return_counts=True)
        rows = max(1, _AT_ONCE // len(occurrences))
        for done in range(0, resamples, rows):
            drawn = generator.multinomial(len(errors), occurrences / len(errors), min(rows, resamples - done))
            rates.append(_rates(drawn @ pairs[0], drawn @ pairs[1]))
    else:
        draws = _kept_draws if len(errors) * resamples <= _KEPT else _times_drawn
        for times in draws(len(errors), resamples, seed):
            rates.append(_rates(*_sums_of(times, errors, lengths)))
    return np.concatenate(rates)


def _rates(errors: NDArray[np.number], lengths: NDArray[np.number]) -> NDArray[np.float64]:
    return (100.0 * errors[lengths > 0] / lengths[lengths > 0]).astype(np.float64)


@lru_cache(maxsize=2)  # utterances and speakers
def _kept_draws(count: int, resamples: int, seed: int) -> tuple[NDArray[np.unsignedinteger], ...]:
    """`_times_drawn` as a whole: the systems of a comparison share the draws."""
    return tuple(_times_drawn(count, resamples, seed))


def _times_drawn(count: int, resamples: int, seed: int) -> Iterator[NDArray[np.unsignedinteger]]:
    """How often each unit is drawn, in parts of (resamples, count)."""
    generator = np.random.default_rng(seed)
    rows = max(1, _AT_ONCE // count)
    for done in range(0, resamples, rows):
        drawn = generator.integers(count, size=(min(rows, resamples - done), count))
        drawn += np.arange(len(drawn))[:, None] * count
        times = np.bincount(drawn.reshape(-1), minlength=drawn.size).reshape(drawn.shape)
        yield times.astype(np.min_scalar_type(times.max()))


def _sums_of(times: NDArray[np.unsignedinteger], *values: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
    """Exact sums (resamples,) of each of the values (count,): single precision where none can exceed its integers."""
    largest = max(int(np.abs(value).max(initial=0)) for value in values)
    exact = np.float32 if times.shape[1] * largest < 1 << 24 else np.float64
    sums = times.astype(exact) @ np.stack(values, axis=1).astype(exact)
    return tuple(sums.T.astype(np.float64))
