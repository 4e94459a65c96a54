"""The difference that a test set and these seeds can show, and how much more of either would show a smaller one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import special

from lasasr.metrics.significance.mixed import (
    SeedVariance,
    Uncertainty,
    VarianceParts,
    run_uncertainty,
    system_uncertainty,
)

LEVEL = 0.05
POWER = 0.8
_MOST = 1e4  # times as many: beyond it, no number is given


@dataclass(frozen=True)
class RequiredData:
    """The data that would show a difference with the required power; None: no number of them would."""

    points: float  # the difference
    utterances: int | None  # in all, from correspondingly more speakers like these; seeds as they are
    seeds: tuple[int, int] | None  # of the first and second system; test set as it is


def detectable(uncertainty: Uncertainty, level: float = LEVEL, power: float = POWER) -> NDArray[np.float64]:
    """The smallest true difference (...) in points that the test at `level` calls different with probability `power`.

    (t_{1 − level/2, df} + t_{power, df})·√V: the minimum detectable effect of Bloom 1995 ("Minimum detectable effects",
    Evaluation Review 19(5)) with Student's t, as V is estimated; df are those of planning.
    """
    df = uncertainty.planning_df
    t = special.stdtrit(df, 1.0 - level / 2.0) + special.stdtrit(df, power)
    points: NDArray[np.float64] = t * np.sqrt(uncertainty.variance)
    return points


def more_speakers(parts: VarianceParts, times: float) -> VarianceParts:
    """`times` as many speakers like these, each with as many utterances; the part of the seeds alone stays."""
    seeds = parts.seeds
    if seeds is not None:
        seeds = seeds._replace(variance=seeds.excess + seeds.residual / times, residual=seeds.residual / times)
    return VarianceParts(parts.estimate, parts.speakers / times, parts.speakers_df * times, seeds)


def more_seeds(parts: VarianceParts, times: float) -> VarianceParts:
    """`times` as many seeds of each system; the part of speakers × systems stays.

    Raises:
        ValueError: a system has one run only.
    """
    if parts.seeds is None:
        raise ValueError("each system must have at least 2 seeds, else what more seeds do is not known")
    residual = np.minimum(parts.seeds.residual, parts.speakers)  # an estimate may exceed what it is a part of
    seeds = SeedVariance(
        (parts.seeds.excess + parts.seeds.residual) / times,
        parts.seeds.welch_df * times,
        parts.seeds.residual / times,
        tuple(count * times for count in parts.seeds.runs),
    )
    return parts._replace(speakers=parts.speakers - residual + residual / times, seeds=seeds)


def needed(
    parts: VarianceParts,
    points: float,
    utterances: int,
    runs: tuple[int, int],
    level: float = LEVEL,
    power: float = POWER,
) -> RequiredData:
    """How many utterances, or else seeds, would make `points` detectable.

    Args:
        parts: of the difference of two systems, as measured on `utterances` with `runs` seeds of each. With one run of
            a system the answer is about these trained models, and none about seeds.

    Raises:
        ValueError: `points` is not above 0.
    """
    if points <= 0.0:
        raise ValueError(f"points must be above 0, got {points}")
    to_uncertainty = run_uncertainty if parts.seeds is None else system_uncertainty

    def more(times: float) -> float:
        return float(detectable(to_uncertainty(more_speakers(parts, times)), level, power))

    def again(times: float) -> float:
        return float(detectable(to_uncertainty(more_seeds(parts, times)), level, power))

    wider = _times(more, points)
    seeds = None if parts.seeds is None else _times(again, points)
    return RequiredData(
        points,
        None if wider is None else ceil(wider * utterances - 1e-6),
        None if seeds is None else (ceil(seeds * runs[0] - 1e-6), ceil(seeds * runs[1] - 1e-6)),
    )


def _times(detectable_with: Callable[[float], float], points: float) -> float | None:
    """The least factor ≥ 1 that makes `points` detectable, by bisection."""
    if detectable_with(1.0) <= points:
        return 1.0
    if detectable_with(_MOST) > points:
        return None
    low, high = 1.0, _MOST
    while high / low > 1.0 + 1e-6:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if detectable_with(middle) <= points else (middle, high)
    return high
