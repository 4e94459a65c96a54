"""The test of the verdict: whether a difference exceeds its variation over other speakers and other seeds.

Runs (seeds) are nested in systems, and every run decodes every speaker, so an error rate has parts

    rate of run r of system v on speaker s = μ_v + speaker_s + (speaker × system)_vs + seed_vr + (speaker × seed)_vrs

and a difference of two systems that holds for other speakers and other seeds has the variance (M_v runs, N speakers)

    V = [2·σ²(speaker × system) + Σ_v σ²(speaker × seed)/M_v] / N  +  Σ_v σ²(seed)/M_v

Treating what is drawn at random (there: words) as fixed is the fallacy of Clark 1973 ("The language-as-fixed-effect
fallacy", J. Verbal Learning and Verbal Behavior 12), whose quasi-F ratio this is, in the form of an approximate t test:

* `speakers` estimates the first bracket from the spread of the differences d_s between speakers. Speakers weigh by
  their words, w_s = n_s/Σn: the pooled difference is D = Σ w_s d_s, its variance the cluster-robust
  Σ w_s²(d_s − D)²/(1 − w_s) ("CR2", Bell and McCaffrey 2002, Survey Methodology 28(2), working variance ∝ 1/n_s), with
  1/(Σw² + (Σg)² − Σg²) degrees of freedom, g_s = w_s²/(1 − w_s) (Satterthwaite's for that estimator: (E V)²·2/Var V).
  With equal n_s it is the paired t test over speakers, N − 1 degrees of freedom.
* `seeds.variance` = Σ_v s²_v/M_v from the spread of the runs' pooled rates, as in Welch's t test; it estimates
  Σ_v σ²(seed)/M_v plus what speakers × seeds contribute, and that is in `speakers` already. `seeds.residual` is the CR2
  estimate of it from d_vrs = rate of a run − mean of its system's runs, so seeds add X = max(0, variance − residual).
* V = speakers + X, with V²/(speakers²/df_speakers + X·seeds.variance/seeds.df) degrees of freedom, Satterthwaite's
  (1946, Biometrics Bulletin 2) but for one product: seeds.variance² there would punish a residual that was subtracted,
  X² would trust an X that came out as 0 by chance; what stands between them kept the level best in the simulation of
  docs/statistics.md. For plans seeds.variance² it is. As those of any sum they are at least the smaller of the parts'.
  Where a system has fewer than `FEW_SEEDS` runs, it is seeds.variance² for the test too, and seeds.df is at most the
  sum over systems of (fewest runs − 1): Welch's are themselves estimated, from a spread that is often near 0 where runs
  are so few, and then count the runs of the other system. Plans take (fewest runs − 1).
* Where four runs or more stand against many, it is those few that V rests on. So seeds.df is at most `alike_df`, what
  Welch's formula gives if the runs of all systems differ alike, and X · seeds.variance goes over to seeds.variance² as
  `alike_df` falls from 10/3 a system to 2 (three against three); four against four (3 a system) is a quarter of the
  way. Five against five and more are not touched by either. Without a residual all this is Welch's test (1947,
  Biometrika 34), without X that over speakers.

All arrays may have leading axes, so that thousands of simulated comparisons are one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special  # what scipy.stats calls, without its half second of loading

Array = NDArray[np.float64]

FEW_SEEDS = 4  # runs of a system, below which the degrees of freedom are the conservative ones

_ROUNDING = 1e-18  # points², below which a variance is that of rounding


class SeedVariance(NamedTuple):
    """The variance that the spread between runs estimates; every array (...)."""

    variance: Array  # of the estimate, points²; what speakers × seeds contribute to it included
    welch_df: Array
    residual: Array  # that contribution, which is in the variance over speakers already
    runs: tuple[float, ...]  # of each system; plans have fractions of one

    @property
    def few(self) -> bool:
        """Whether a system has too few runs to trust Welch's degrees of freedom."""
        return min(self.runs) < FEW_SEEDS

    @property
    def alike_df(self) -> float:
        """Welch's degrees of freedom if runs of all systems differ alike: Σ_v (M_v − 1) where all have as many."""
        shares = [1.0 / count for count in self.runs]
        below = sum(share**2 / (count - 1.0) for share, count in zip(shares, self.runs, strict=True))
        return sum(shares) ** 2 / below

    @property
    def df(self) -> Array:
        """The degrees of freedom of the test."""
        return np.minimum(self.welch_df, len(self.runs) * (min(self.runs) - 1.0) if self.few else self.alike_df)

    @property
    def planning_df(self) -> Array:
        """The degrees of freedom of plans."""
        return np.minimum(self.welch_df, min(self.runs) - 1.0 if self.few else self.alike_df)

    @property
    def caution(self) -> float:
        """0: the degrees of freedom count of the variance of seeds what they add (X); 1: all of it."""
        return 1.0 if self.few else min(1.0, max(0.0, 1.0 - 0.75 * (self.alike_df / len(self.runs) - 2.0)))

    @property
    def excess(self) -> Array:
        """X: what seeds add to the variance over speakers."""
        added: Array = np.maximum(self.variance - self.residual, 0.0)
        return added


class VarianceParts(NamedTuple):
    """An estimate in percent points and the parts of its variance (points²); every array (...)."""

    estimate: Array
    speakers: Array
    speakers_df: Array
    seeds: SeedVariance | None  # None: a system has one run, so the variance between seeds is unknown


class Uncertainty(NamedTuple):
    """The variance (points²) of an estimate and its degrees of freedom; all (...)."""

    variance: Array
    df: Array
    planning_df: Array  # at most `df`: for what another comparison will find, whose X is another


def scalar(value: float) -> Array:
    """A number as the arrays here are."""
    return np.array(value, dtype=np.float64)


def variance_parts(
    errors: Sequence[NDArray[np.number]], lengths: NDArray[np.number], factors: Sequence[float]
) -> VarianceParts:
    """Of the estimate Σ_v factor_v · (mean over runs of the pooled rate of system v), in percent points.

    Factors (1, −1) make the difference of two systems, (1,) the rate of one.

    Args:
        errors: of each system (..., M_v, N), runs by speakers.
        lengths: (..., N) reference length of each speaker; 0 of one whose references are empty.

    Raises:
        ValueError: fewer than two speakers with a length above 0.
    """
    heard = int((lengths > 0).sum(-1).min())
    if heard < 2:
        raise ValueError(f"lengths must be above 0 for at least 2 speakers, got {heard}")
    total = lengths.sum(-1, keepdims=True).astype(np.float64)
    weights = lengths / total
    shares = [100.0 * factor * counts / total[..., None, :] for factor, counts in zip(factors, errors, strict=True)]
    # errors are added up before they are divided, so that equal systems differ by exactly 0
    means = [100.0 * counts.sum(-2) / (counts.shape[-2] * total) for counts in errors]
    summed: Array = np.sum([factor * mean for factor, mean in zip(factors, means, strict=True)], axis=0)
    alone = any(share.shape[-2] < 2 for share in shares)
    return VarianceParts(
        estimate=summed.sum(-1),
        speakers=_clustered(summed, weights),
        speakers_df=clustered_df(weights),
        seeds=None if alone else _seeds(shares, weights),
    )


def _seeds(shares: Sequence[Array], weights: Array) -> SeedVariance:
    runs = [share.shape[-2] for share in shares]
    spreads = [share.sum(-1).var(-1, ddof=1) / m for share, m in zip(shares, runs, strict=True)]
    variance = np.sum(spreads, axis=0)
    below = np.sum([spread**2 / (m - 1) for spread, m in zip(spreads, runs, strict=True)], axis=0)
    df = np.divide(variance**2, below, out=np.full_like(variance, min(runs) - 1.0), where=below > 0)
    residual = np.sum([_within(share, weights) for share in shares], axis=0)
    return SeedVariance(variance, df, residual, tuple(map(float, runs)))


def _clustered(shares: Array, weights: Array) -> Array:
    """Σ_s (c_s − w_s D)²/(1 − w_s) with c_s (..., N) the speakers' shares of D = Σ c_s; c_s = w_s d_s above."""
    centred = shares - weights * shares.sum(-1, keepdims=True)
    variance: Array = (centred**2 / (1.0 - weights)).sum(-1)
    return np.where(variance > _ROUNDING, variance, 0.0)


def _within(shares: Array, weights: Array) -> Array:
    """What speakers × seeds add to the variance of the mean over M runs, from shares (..., M, N)."""
    runs = shares.shape[-2]
    deviations = shares - shares.mean(-2, keepdims=True)
    variance: Array = _clustered(deviations, weights[..., None, :]).sum(-1) / (runs - 1) / runs
    return variance


def clustered_df(weights: Array) -> Array:
    """Degrees of freedom (...) of the variance over speakers with weights (..., N) that sum to 1."""
    g = weights**2 / (1.0 - weights)
    df: Array = 1.0 / ((weights**2).sum(-1) + g.sum(-1) ** 2 - (g**2).sum(-1))
    return df


def run_uncertainty(parts: VarianceParts) -> Uncertainty:
    """The uncertainty over other speakers, with these trained models."""
    return Uncertainty(parts.speakers, parts.speakers_df, parts.speakers_df)


def system_uncertainty(parts: VarianceParts) -> Uncertainty:
    """The uncertainty over other speakers and models trained with other seeds.

    Raises:
        ValueError: a system has one run only.
    """
    if parts.seeds is None:
        raise ValueError("each system must have at least 2 seeds, else what other seeds do is not known")
    seeds = parts.seeds
    variance = parts.speakers + seeds.excess

    def satterthwaite(of_seeds: Array, seeds_df: Array) -> Array:
        below = parts.speakers**2 / parts.speakers_df + of_seeds / seeds_df
        df = np.divide(variance**2, below, out=np.array(parts.speakers_df, dtype=np.float64), where=below > 0)
        return np.maximum(df, np.minimum(parts.speakers_df, seeds_df))

    of_seeds = seeds.excess + seeds.caution * (seeds.variance - seeds.excess)
    return Uncertainty(
        variance,
        satterthwaite(of_seeds * seeds.variance, seeds.df),
        satterthwaite(seeds.variance**2, seeds.planning_df),
    )


def p_value(estimate: Array, uncertainty: Uncertainty) -> Array:
    """Two-sided p (...) of t = estimate/√V; 1 where the estimate is 0, NaN where V is 0 and the estimate is not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(estimate) / np.sqrt(uncertainty.variance)
    p: Array = np.where(
        estimate == 0.0, 1.0, np.where(uncertainty.variance > 0.0, 2.0 * special.stdtr(uncertainty.df, -t), np.nan)
    )
    return p


def half_width(uncertainty: Uncertainty, level: float) -> Array:
    """Half of the interval estimate ± t_{(1 + level)/2, df}·√V."""
    half: Array = special.stdtrit(uncertainty.df, 0.5 * (1.0 + level)) * np.sqrt(uncertainty.variance)
    return half
