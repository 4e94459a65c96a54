"""A race of systems: seeds are added, look by look, to those that may still be told from the best one.

Beforehand are fixed: the seeds of each look, the difference that is relevant, and the claims, one of each system: that
it is not the best. At a look all pairs of systems that are still in the race are compared by the test of the
verdict, with the lower degrees of freedom of plans. p of each is turned into one that holds for all looks
(`significance.sequential`), and the claims are adjusted by Holm (`significance.race_step`). A system leaves the race

* `worse`: than another one that is in the race, p ≤ 5 %;
* `no difference`: if the chance that the last look shows a difference from the best is below `HOPE`, even if the true
  difference is the relevant one, or the observed one where that is larger (stochastic curtailment, Lan, Simon and
  Halperin 1982, "Stochastically curtailed tests in long-term clinical trials", Sequential Analysis 1). Such a stop
  never adds a false difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from lasasr.metrics.significance.mixed import Array, VarianceParts, p_value, system_uncertainty
from lasasr.metrics.significance.planning import designed
from lasasr.metrics.significance.race_step import Evidence, adjusted, step

STEP = 1  # seeds from one look to the next

Reason = Literal["worse", "no difference", "lost"]
Pair = tuple[str, str]


class PairTest(NamedTuple):
    """A pair at a look; `points` are first − second."""

    points: float
    p: float | None  # of this look alone; None: these runs cannot decide
    parts: VarianceParts | None


class Left(NamedTuple):
    """Why a system is in the race no more."""

    reason: Reason
    against: str | None  # the better system, or the best one
    look: int  # counted from 0


@dataclass(frozen=True)
class RaceDesign:
    """What is declared beforehand.

    Attributes:
        looks: seeds of each system that is still in the race, at each look.
        points: the relevant difference.
    """

    looks: tuple[int, ...]
    points: float
    level: float = 0.05

    @property
    def fractions(self) -> tuple[float, ...]:
        """Of the most seeds."""
        return tuple(seeds / self.looks[-1] for seeds in self.looks)


@dataclass
class RaceState:
    """What is known after the looks so far.

    Attributes:
        names: of all systems.
        levels: of (worse, better): the smallest level, for all looks, at which this was found; 1 where it never was.
        left: the systems that are in the race no more.
    """

    names: Sequence[str]
    levels: dict[Pair, float] = field(default_factory=dict)
    left: dict[str, Left] = field(default_factory=dict)

    @property
    def racing(self) -> list[str]:
        """The systems that are still in the race."""
        return [name for name in self.names if name not in self.left]

    @property
    def level_array(self) -> Array:
        """`levels` as (K, K), worse by better."""
        levels = np.ones((len(self.names), len(self.names)))
        for (worse, better), level in self.levels.items():
            levels[self.names.index(worse), self.names.index(better)] = level
        return levels

    def adjusted(self) -> dict[Pair, float]:
        """Of (worse, better): p, adjusted for all looks, pairs and systems."""
        p = adjusted(self.level_array)
        return {
            (worse, better): float(p[row, column])
            for row, worse in enumerate(self.names)
            for column, better in enumerate(self.names)
            if row != column
        }


def race_p(parts: VarianceParts) -> Array:
    """p (...) of a look: the test of the verdict, with the lower degrees of freedom of plans.

    Those of the verdict keep the level of one look; at the small p that many looks and systems ask for they do not.
    """
    uncertainty = system_uncertainty(parts)
    return p_value(parts.estimate, uncertainty._replace(df=uncertainty.planning_df))


def look_seeds(least: int, most: int, step: int = STEP) -> tuple[int, ...]:
    """The seeds of each look: from the fewest that can decide to the most."""
    return tuple(sorted({*range(least, most, step), most}))


def take_look(
    design: RaceDesign, state: RaceState, look: int, rates: Mapping[str, float], tests: Mapping[Pair, PairTest]
) -> None:
    """Enter a look into the state.

    Args:
        look: counted from 0.
        rates: of the systems in the race, percent; one that is missing has no seed left, and leaves.
        tests: of the pairs of these, in the order of the names.
    """
    names = list(state.names)
    for name in [name for name in state.racing if name not in rates]:
        state.left[name] = Left("lost", None, look)
    if not state.racing:
        return
    racing = np.array([name not in state.left for name in names])
    percents = np.array([rates.get(name, np.inf) for name in names])
    evidence = _evidence(design, look, names, tests)
    result = step(design.fractions, look, design.level, design.points, state.level_array, racing, percents, evidence)
    for row, column in np.argwhere(result.levels < 1.0):
        state.levels[names[row], names[column]] = float(result.levels[row, column])
    for index in np.flatnonzero(result.worse):
        state.left[names[index]] = Left("worse", names[result.against[index]], look)
    for index in np.flatnonzero(result.futile):
        state.left[names[index]] = Left("no difference", names[int(result.best)], look)


def _evidence(design: RaceDesign, look: int, names: Sequence[str], tests: Mapping[Pair, PairTest]) -> Evidence:
    """The tests as arrays; NaN where a pair is not in the race or nothing is known."""
    values = np.full((len(Evidence._fields), len(names), len(names)), np.nan)
    for (first, second), test in tests.items():
        pair = [test.points, np.nan if test.p is None else test.p, *_variances(design, look, test.parts)]
        row, column = names.index(first), names.index(second)
        values[:, row, column] = pair
        values[:, column, row] = [-test.points, *pair[1:]]
    return Evidence(*values)


def _variances(design: RaceDesign, look: int, parts: VarianceParts | None) -> tuple[float, float, float]:
    """At this look, at the last one, and the degrees of freedom there."""
    if parts is None:
        return np.nan, np.nan, np.nan
    last = designed(parts, design.looks[-1])
    return float(designed(parts, design.looks[look]).variance), float(last.variance), float(last.df)
