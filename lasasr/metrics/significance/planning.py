"""What a comparison that is still to be made would show: power and detectable difference for seeds and speakers.

The variance of a difference is taken from a pilot, or as published, and scaled to as many seeds and speakers as are
planned (`detectable.more_seeds`, `detectable.more_speakers`). With M seeds of each system the spread between seeds has
2·(M − 1) degrees of freedom, the rest is that of the test (`mixed.system_uncertainty`). Power is that of a t test whose
statistic has a noncentral t distribution with noncentrality difference/√V.

A pilot knows V only roughly, with m degrees of freedom, and a V that came out too small promises too much. So power is
the expected one, over V = V̂·m/χ²_m ("assurance"; Julious and Owen 2006, "Sample size calculations for clinical studies
allowing for uncertainty about the variance", Pharmaceutical Statistics 5). Variances that are given, not estimated,
have m = ∞.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from lasasr.metrics.significance.detectable import LEVEL, POWER, more_seeds, more_speakers
from lasasr.metrics.significance.mixed import Array, SeedVariance, VarianceParts, scalar, system_uncertainty

MOST_SEEDS = 100  # of each system, that a plan looks at
_MOST_TIMES = 1e4  # as many speakers
_KNOWN = 1e9  # degrees of freedom of what is given, not estimated
_QUANTILES = (np.arange(100) + 0.5) / 100  # of V, that power is the mean of


class PlannedUncertainty(NamedTuple):
    """Of a comparison that is still to be made."""

    variance: Array  # points²
    df: Array  # that its test will have
    pilot_df: Array  # with which `variance` is known


class Design(NamedTuple):
    """One way to make the comparison."""

    seeds: int  # of each system
    detectable: float  # smallest difference found with the required power, points
    power: float  # of finding the wanted difference
    speakers_times: float | None  # as many speakers as the pilot would find it; None: no number of them


def published(seed_sd: float, speaker_sd: float, speakers: int) -> VarianceParts:
    """The parts of a difference of two systems, two seeds of each, from standard deviations in points.

    Args:
        seed_sd: between the rates of a system's seeds.
        speaker_sd: between speakers, of the difference of two systems.
        speakers: of the test set, alike in length.
    """
    spread = SeedVariance(scalar(seed_sd**2), scalar(_KNOWN), scalar(0.0), (2.0, 2.0))
    return VarianceParts(scalar(0.0), scalar(speaker_sd**2 / speakers), scalar(speakers - 1), spread)


def designed(parts: VarianceParts, seeds: int, speakers_times: float = 1.0) -> PlannedUncertainty:
    """The uncertainty of a comparison with `seeds` of each system and so many times the speakers of `parts`.

    Args:
        parts: of the pilot; `parts.seeds.welch_df` are those with which the spread between seeds is known.

    Raises:
        ValueError: `parts` have no seeds, or `seeds` is below 2.
    """
    if parts.seeds is None or seeds < 2:
        raise ValueError(f"seeds must be at least 2 and their spread known, got {seeds}")
    # the harmonic mean of unequal numbers of seeds is what Σ σ²/M divides by
    pilot_seeds = len(parts.seeds.runs) / sum(1.0 / runs for runs in parts.seeds.runs)
    scaled = more_speakers(more_seeds(parts, seeds / pilot_seeds), speakers_times)
    assert scaled.seeds is not None  # as above
    spread = scaled.seeds._replace(welch_df=scalar(2.0 * (seeds - 1)), runs=(float(seeds), float(seeds)))
    there = system_uncertainty(scaled._replace(seeds=spread))
    below = scaled.speakers**2 / parts.speakers_df + scaled.seeds.variance**2 / parts.seeds.welch_df
    estimated = np.divide(there.variance**2, below, out=np.full_like(below, _KNOWN), where=below > 0)
    estimated = np.maximum(estimated, np.minimum(parts.speakers_df, parts.seeds.welch_df))  # as those of any sum
    pilot_df = np.where(parts.seeds.welch_df >= _KNOWN, np.inf, estimated)
    return PlannedUncertainty(there.variance, there.df, pilot_df)


def detectable_difference(uncertainty: PlannedUncertainty, level: float = LEVEL, power: float = POWER) -> float:
    """The difference in points that is found with `power`.

    With V known it is (t_{1 − level/2, df} + t_{power, df})·√V, as `detectable.detectable` with the test's own df.
    Known with m degrees of freedom only, t_{power} grows by the ratio of (c − t_{1 − level/2}) to z_{power}, where c is
    the `power` quantile of the noncentral t distribution with m degrees of freedom and noncentrality t_{1 − level/2}:
    that is where the expected power of a test with many degrees of freedom reaches `power`.
    """
    critical, reserve = special.stdtrit(uncertainty.df, (1.0 - level / 2.0, power))
    if np.isfinite(uncertainty.pilot_df):
        quantile = special.nctdtrit(uncertainty.pilot_df, critical, power)
        reserve *= (quantile - critical) / special.ndtri(power)
    return float((critical + reserve) * np.sqrt(uncertainty.variance))


def power_of(uncertainty: PlannedUncertainty, points: float, level: float = LEVEL) -> float:
    """The probability that the test at `level` calls a true difference of `points` different, in its direction."""
    if not uncertainty.variance:
        return 1.0
    critical = special.stdtrit(uncertainty.df, 1.0 - level / 2.0)
    variance = np.asarray(uncertainty.variance)
    if np.isfinite(uncertainty.pilot_df):
        m = uncertainty.pilot_df
        variance = variance * m / special.chdtri(m, _QUANTILES)
    return float(np.mean(1.0 - special.nctdtr(uncertainty.df, points / np.sqrt(variance), critical)))


def design(parts: VarianceParts, seeds: int, points: float, level: float = LEVEL, power: float = POWER) -> Design:
    """What `seeds` of each system show on the test set of `parts`, and how many speakers would show `points`."""
    here = designed(parts, seeds)
    return Design(
        seeds,
        detectable_difference(here, level, power),
        power_of(here, points, level),
        _times(parts, seeds, points, level, power),
    )


def enough_seeds(
    parts: VarianceParts, points: float, least: int, level: float = LEVEL, power: float = POWER
) -> int | None:
    """The fewest seeds of each system, at least `least`, that show `points`; None: more than `MOST_SEEDS`, or none."""
    for seeds in range(least, MOST_SEEDS + 1):
        if detectable_difference(designed(parts, seeds), level, power) <= points:
            return seeds
    return None


def never_below(parts: VarianceParts, level: float = LEVEL, power: float = POWER) -> float:
    """The difference that any number of seeds leaves undetected on this test set: what speakers alone contribute."""
    return detectable_difference(designed(parts, 1_000_000), level, power)


def seed_variance_limit(parts: VarianceParts, probability: float = 0.8) -> VarianceParts:
    """The parts with the seeds' spread at its upper limit: few seeds of a pilot tell it badly.

    The one-sided limit of a variance, s²·df/χ²_{1 − probability, df} (Browne 1995, "On the use of a pilot sample for
    sample size determination", Statistics in Medicine 14).
    """
    if parts.seeds is None:
        raise ValueError("parts must have seeds")
    df = float(parts.seeds.welch_df)
    factor = df / special.chdtri(df, probability)
    raised = parts.seeds.residual + parts.seeds.excess * factor
    return parts._replace(seeds=parts.seeds._replace(variance=scalar(raised)))


def _times(parts: VarianceParts, seeds: int, points: float, level: float, power: float) -> float | None:
    """The factor on the speakers that makes `points` detectable, by bisection; below 1 where fewer would do."""

    def shown(times: float) -> bool:
        return detectable_difference(designed(parts, seeds, times), level, power) <= points

    if not shown(_MOST_TIMES):
        return None
    low, high = 2.0 / (float(parts.speakers_df) + 1.0), _MOST_TIMES
    while high / low > 1.0 + 1e-4:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high
