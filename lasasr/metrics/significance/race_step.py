"""One look of a race on arrays with leading axes, so that thousands of simulated races are one call.

The claim that a race can make of a system is that it is not the best: H_i says that no system has a lower true rate
than system i. Its p is K − 1 times the smallest one-sided p of i against another one (Bonferroni), and the p of all K
systems are adjusted by Holm. So the first system to leave meets the same bound as in Holm's adjustment of all
K(K − 1)/2 pairs, and each one that has been shown to be worse makes the bound wider for those that are left: K
hypotheses are fewer than all pairs. One-sided p are half of the two-sided repeated ones of `significance.sequential`;
the smallest over looks may be adjusted whenever each system stops (Maurer and Bretz 2013).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from lasasr.metrics.significance.mixed import Array
from lasasr.metrics.significance.sequential import last_boundary, level_of

HOPE = 0.1  # chance of a difference, below which a system leaves the race

Mask = NDArray[np.bool_]


class Evidence(NamedTuple):
    """What a look sees of all pairs; every array (..., K, K), of the first (row) against the second system."""

    points: Array  # first − second, percent points
    p: Array  # two-sided, of this look alone; NaN: these runs cannot decide
    variance: Array  # of the difference; NaN: unknown
    last_variance: Array  # that of the last look, if the race comes to it
    last_df: Array


class Step(NamedTuple):
    """What the look decides; (..., K) but for `levels`."""

    levels: Array  # (..., K, K) at which row was found worse than column, at any look; 1: never
    worse: Mask
    against: NDArray[np.intp]  # the better one of `worse`
    best: NDArray[np.intp]  # (...)
    futile: Mask


def adjusted(levels: Array) -> Array:
    """p (..., K, K) that row is worse than column, adjusted for all systems, pairs and looks.

    Of a pair it is what Holm makes of the row's p if that pair is its only evidence.
    """
    systems = levels.shape[-1]
    claims = np.minimum(1.0, 0.5 * (systems - 1) * levels)
    own = claims.min(-1)
    others = np.broadcast_to(own[..., None, :], levels.shape)  # [i, m]: p of m beside that of i
    others = np.where(np.eye(systems, dtype=bool), np.inf, others)
    order = np.argsort(others, -1, kind="stable")
    ascending = np.take_along_axis(others, order, -1)[..., :-1]
    steps = np.maximum.accumulate(ascending * (systems - np.arange(systems - 1)), -1)
    before = (ascending[..., None, :] < claims[..., None]).sum(-1)  # [i, j]: how many m come before i
    reached = np.concatenate([np.zeros((*steps.shape[:-1], 1)), steps], -1)
    p: Array = np.minimum(1.0, np.maximum(np.take_along_axis(reached, before, -1), claims * (systems - before)))
    return p


def step(
    fractions: tuple[float, ...],
    look: int,
    level: float,
    relevant: float,
    levels: Array,
    racing: Mask,
    rates: Array,
    evidence: Evidence,
) -> Step:
    """Take a look.

    Args:
        fractions: of the most seeds, at each look.
        look: counted from 0.
        relevant: difference, points.
        levels: as the look before left them.
        racing: (..., K).
        rates: (..., K), percent; those of systems that race no more are not looked at.
    """
    both = racing[..., :, None] & racing[..., None, :]
    tested = both & np.isfinite(evidence.p)
    reached = level_of(np.where(tested, evidence.p, 1.0), look, fractions)
    levels = np.where(tested & (evidence.points > 0.0), np.minimum(levels, reached), levels)
    p = adjusted(levels)
    rates = np.where(racing, rates, np.inf)
    better = both & (rates[..., None, :] < rates[..., :, None]) & (p <= level)
    worse: Mask = np.asarray(better.any(axis=-1))
    against = np.where(better, rates[..., None, :], np.inf).argmin(-1)
    best = rates.argmin(-1)
    systems = racing.shape[-1]
    open_claims = np.maximum(1, systems - (p.min(-1) <= level).sum(-1))
    of_pair = level * 2.0 / (open_claims * (systems - 1))
    beside_best = [np.take_along_axis(part, best[..., None, None], -1)[..., 0] for part in evidence]
    chance = hope(fractions, look, relevant, of_pair[..., None], Evidence(*beside_best))
    is_best = np.arange(systems) == best[..., None]
    return Step(levels, worse, against, best, racing & ~worse & ~is_best & (chance < HOPE))


def hope(fractions: tuple[float, ...], look: int, relevant: float, level: Array, evidence: Evidence) -> Array:
    """The chance (...) that the last look shows a difference: the true one is the relevant, or the observed if larger.

    Given D of variance V at this look, that of the last one, of variance W, is normal with mean r·D + (1 − r)·δ,
    r = W/V, and variance (1 − r)·W (Lan, Simon and Halperin 1982).

    Args:
        level: of the pair, over all looks.
    """
    observed = np.abs(evidence.points)
    if look + 1 == len(fractions):
        return np.zeros_like(observed)
    here, there = evidence.variance, evidence.last_variance
    needed = special.stdtrit(evidence.last_df, 1.0 - 0.5 * last_boundary(level, fractions)) * np.sqrt(there)
    ratio = np.minimum(1.0, np.divide(there, here, out=np.ones_like(here), where=here > 0.0))
    expected = ratio * observed + (1.0 - ratio) * np.maximum(relevant, observed)
    spread = np.sqrt((1.0 - ratio) * there)
    certain = np.where(expected >= needed, np.inf, -np.inf)
    z = np.divide(expected - needed, spread, out=certain, where=spread > 0.0)
    chance: Array = np.where(np.isnan(here), 1.0, special.ndtr(z))  # nothing is known of the spread yet
    return chance
