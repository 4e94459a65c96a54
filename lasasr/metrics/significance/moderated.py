"""The spread between seeds of many systems, each estimated with the help of all others.

Four seeds tell a variance with three degrees of freedom, so that at the small p that many pairs ask for a t test finds
little. The systems of a race are trained alike, and their spreads are alike, more or less. How much so is estimated
from the spreads themselves (Smyth 2004, "Linear models and empirical Bayes methods for assessing differential
expression in microarray experiments", Statistical Applications in Genetics and Molecular Biology 3, §6.2): the true
variances of systems are taken as drawn from a scaled inverse χ² distribution with d₀ degrees of freedom, found from
the mean and the variance of ln s²; the moderated variance is (d₀·s₀² + d·s²)/(d₀ + d), with d₀ + d degrees of freedom.
Where systems differ in their spread no more than chance makes them, d₀ is large and the variances are pooled; where
one of them differs much, d₀ is small and each keeps its own. Variances are those of rates divided by the system's
rate: a system with twice the errors has seeds that differ by about twice as much.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from lasasr.metrics.significance.mixed import Array, VarianceParts

_LEAST = 1e-12  # relative variance, for seeds that are alike to the last error
_POOLED = 1e8  # d₀, from which on it is infinite
_HALVINGS = 80


class SeedSpread(NamedTuple):
    """Between the runs of each system; all (..., K)."""

    variance: Array  # of the pooled rates of single runs, points²
    df: Array
    rate: Array  # percent


def moderated(spread: SeedSpread) -> SeedSpread:
    """Each variance with the help of all; its degrees of freedom are at most those of all of them together.

    Raises:
        ValueError: fewer than two systems.
    """
    systems = spread.variance.shape[-1]
    if systems < 2:
        raise ValueError(f"spreads must be of at least 2 systems, got {systems}")
    scale = np.maximum(spread.rate, np.sqrt(_LEAST)) ** 2
    relative = np.maximum(spread.variance / scale, _LEAST)
    half = 0.5 * spread.df
    logs = np.log(relative) - special.digamma(half) + np.log(half)
    mean = logs.mean(-1, keepdims=True)
    beyond_chance = logs.var(-1, ddof=1, keepdims=True) - special.polygamma(1, half).mean(-1, keepdims=True)
    prior_df = 2.0 * _trigamma_inverse(np.maximum(beyond_chance, special.polygamma(1, 0.5 * _POOLED)))
    alike = prior_df >= 0.99 * _POOLED
    total = spread.df.sum(-1, keepdims=True)
    pooled = (spread.df * relative).sum(-1, keepdims=True) / total
    prior = np.where(alike, pooled, np.exp(mean + special.digamma(0.5 * prior_df) - np.log(0.5 * prior_df)))
    others_df = np.minimum(prior_df, total - spread.df)
    df = others_df + spread.df
    return SeedSpread((others_df * prior + spread.df * relative) / df * scale, df, spread.rate)


def with_spread(parts: VarianceParts, first: tuple[Array, Array], second: tuple[Array, Array]) -> VarianceParts:
    """The parts of a pair, with the variance and the degrees of freedom of each system's runs as given.

    Raises:
        ValueError: a system has one run only.
    """
    if parts.seeds is None:
        raise ValueError("each system must have at least 2 seeds")
    of_means = [variance / runs for (variance, _), runs in zip((first, second), parts.seeds.runs, strict=True)]
    variance = of_means[0] + of_means[1]
    df = variance**2 / (of_means[0] ** 2 / first[1] + of_means[1] ** 2 / second[1])
    return parts._replace(seeds=parts.seeds._replace(variance=variance, welch_df=df))


def _trigamma_inverse(values: Array) -> Array:
    """x with ψ′(x) = value, by bisection of ln x."""
    low, high = np.full_like(values, np.log(1e-6)), np.full_like(values, np.log(_POOLED))
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        larger = special.polygamma(1, np.exp(middle)) > values
        low, high = np.where(larger, middle, low), np.where(larger, high, middle)
    return np.exp(0.5 * (low + high))
