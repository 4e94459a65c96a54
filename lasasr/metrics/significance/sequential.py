"""Tests that are repeated while data arrive: how small p must be at each look so that all looks together keep a level.

The estimate at a look has the variance V = speakers + seeds/M with M seeds so far; looks at the same runs and more have
the covariance of the later one's variance, as those of a Brownian motion with information 1/V (Jennison and Turnbull
2000, "Group Sequential Methods with Applications to Clinical Trials", §3.1). The level α is spent (Lan and DeMets 1983,
"Discrete sequential boundaries for clinical trials", Biometrika 70) as α·f², a member of the power family of Kim and
DeMets 1987 ("Design and analysis of group sequential tests based on the type I error spending rate function",
Biometrika 74), with f = M / most M, which is known beforehand whatever V is. The boundaries are computed as if V were
seeds alone, so that information is f: what speakers add makes the looks more alike, which only lowers the chance that
any of them crosses. They are stated as p, and so hold for t tests whose degrees of freedom differ from look to look
(Pocock 1977, "Group sequential methods in the design and analysis of clinical trials", Biometrika 64; Jennison and
Turnbull 2000, §4.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]

POWER = 2.0  # of the spending function

_LEVELS = np.concatenate([np.geomspace(1e-9, 0.2, 70), np.linspace(0.25, 0.999, 16)])
_POINTS = 801  # of the density between the boundaries
_HALVINGS = 60


def spent(level: float, fraction: float) -> float:
    """The level that may be spent until `fraction` of all seeds have been seen."""
    return float(level * fraction**POWER)


def boundaries(level: float, fractions: Sequence[float]) -> list[float]:
    """The two-sided p at or below which each look rejects, so that all of them together do so with `level`.

    By the recursive integration of Armitage, McPherson and Rowe 1969 ("Repeated significance tests on accumulating
    data", J. of the Royal Statistical Society A 132).

    Args:
        fractions: of the information at each look, ascending, the last one 1.

    Raises:
        ValueError: they are none such, or the level lies outside 0 to 1.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    increments = np.diff([0.0, *fractions])
    if not len(fractions) or (increments <= 0.0).any() or fractions[-1] != 1.0:
        raise ValueError(f"fractions must ascend from above 0 to 1, got {list(fractions)}")
    grid, mass = np.zeros(1), np.ones(1)  # where the sum is if no look has rejected, and with which probability
    levels, before = [], 0.0
    for fraction, increment in zip(fractions, increments, strict=True):
        sd = float(np.sqrt(increment))
        allowed, before = spent(level, fraction) - before, spent(level, fraction)
        bound = _bound(grid, mass, sd, allowed)
        levels.append(float(2.0 * special.ndtr(-bound / np.sqrt(fraction))))
        grid, mass = _carried_on(grid, mass, sd, bound)
    return levels


def _bound(grid: Array, mass: Array, sd: float, allowed: float) -> float:
    """Where the sum leaves with the probability `allowed`, by bisection."""
    low, high = 0.0, 12.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        leaves = mass @ (special.ndtr((grid - middle) / sd) + special.ndtr((-grid - middle) / sd))
        low, high = (middle, high) if leaves > allowed else (low, middle)
    return 0.5 * (low + high)


def _carried_on(grid: Array, mass: Array, sd: float, bound: float) -> tuple[Array, Array]:
    """The distribution after a look that did not reject, on a grid with Simpson's weights."""
    following = np.linspace(-bound, bound, _POINTS)
    weights = np.ones(_POINTS)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    weights *= (following[1] - following[0]) / 3.0
    density = np.exp(-0.5 * ((following[:, None] - grid) / sd) ** 2) @ mass / (sd * np.sqrt(2.0 * np.pi))
    return following, density * weights


@lru_cache(maxsize=64)
def _table(fractions: tuple[float, ...]) -> tuple[Array, Array]:
    """Logarithms of the boundaries (levels, looks), and of the levels that they belong to."""
    rows = np.array([boundaries(float(level), fractions) for level in _LEVELS])
    return np.log(rows), np.log(_LEVELS)


def level_of(p: Array, look: int, fractions: tuple[float, ...]) -> Array:
    """The smallest level (...) at which p rejects at this look, counted from 0: a p that holds for all looks.

    The smallest of all looks so far is a p whose chance to come to α or below at any look is at most α (the repeated
    p-value of Jennison and Turnbull 2000, §9.5), so that Holm's adjustment for many hypotheses holds for it, whenever
    each of them stops (Maurer and Bretz 2013, "Multiple testing in group sequential trials using graphical approaches",
    Statistics in Biopharmaceutical Research 5).
    """
    bounds, levels = _table(fractions)
    column = bounds[:, look]
    logs = np.log(np.maximum(p, np.finfo(np.float64).tiny))
    level: Array = np.where(logs > column[-1], 1.0, np.exp(np.interp(logs, column, levels)))
    return level


def last_boundary(level: Array, fractions: tuple[float, ...]) -> Array:
    """The p (...) at or below which the last look rejects, if all looks together do so with `level`."""
    bounds, levels = _table(fractions)
    p: Array = np.exp(np.interp(np.log(level), levels, bounds[:, -1]))
    return p
