"""A race of systems: seeds are added, look by look, to those that may still be told from the best one.

Beforehand are fixed: the seeds of each look, the difference that is relevant, and all pairs as hypotheses. At a look
`race_p` compares all pairs of systems that are still in the race. p of each is turned into one that holds for all looks
(`significance.sequential`), and those of all pairs, also of systems that have left, are adjusted by Holm. A system
leaves the race

* `worse`: than another one that is in the race, p ≤ 5 %;
* `no difference`: if the chance that the last look shows a difference from the best is below `HOPE`, even if the true
  difference is the relevant one, or the observed one where that is larger (stochastic curtailment, Lan, Simon and
  Halperin 1982, "Stochastically curtailed tests in long-term clinical trials", Sequential Analysis 1). Such a stop
  never adds a false difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
from scipy import special

from lasasr.metrics.significance.mixed import Array, VarianceParts, p_value, system_uncertainty
from lasasr.metrics.significance.permutation import holm
from lasasr.metrics.significance.planning import designed
from lasasr.metrics.significance.sequential import boundaries, level_of

HOPE = 0.1  # chance of a difference, below which a system leaves the race
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
        p: of each pair, that holds for all looks; 1 before the first.
        left: the systems that are in the race no more.
    """

    names: Sequence[str]
    p: dict[Pair, float] = field(default_factory=dict)
    left: dict[str, Left] = field(default_factory=dict)

    @property
    def racing(self) -> list[str]:
        """The systems that are still in the race."""
        return [name for name in self.names if name not in self.left]

    @property
    def pairs(self) -> list[Pair]:
        """All of them."""
        return list(combinations(self.names, 2))

    def adjusted(self) -> dict[Pair, float]:
        """p of each pair, adjusted for all looks and all pairs."""
        values = holm([self.p.get(pair, 1.0) for pair in self.pairs])
        return {pair: 1.0 if value is None else value for pair, value in zip(self.pairs, values, strict=True)}


def race_p(parts: VarianceParts) -> Array:
    """p (...) of a look: the test of the verdict with the lower degrees of freedom, those of planning.

    At the small p that many pairs and looks ask for, those of the verdict are too many where seeds differ much
    (docs/statistics.md).
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
    for pair, test in tests.items():
        if test.p is not None:
            state.p[pair] = min(state.p.get(pair, 1.0), level_of(test.p, look, design.fractions))
    for name in [name for name in state.racing if name not in rates]:
        state.left[name] = Left("lost", None, look)
    adjusted = state.adjusted()
    racing = state.racing
    if not racing:
        return
    best = min(racing, key=lambda name: rates[name])
    hypotheses = max(1, sum(p > design.level for p in adjusted.values()))
    level = design.level / hypotheses
    for name in (name for name in racing if name != best):
        better = [
            other
            for other in racing
            if rates[other] < rates[name] and adjusted[_ordered(state.names, name, other)] <= design.level
        ]
        if better:
            state.left[name] = Left("worse", min(better, key=lambda other: rates[other]), look)
        elif hope(design, look, tests[_ordered(state.names, name, best)], level) < HOPE:
            state.left[name] = Left("no difference", best, look)


def _ordered(names: Sequence[str], first: str, second: str) -> Pair:
    return (first, second) if names.index(first) < names.index(second) else (second, first)


def hope(design: RaceDesign, look: int, test: PairTest, level: float) -> float:
    """The chance that the last look shows the difference, if the true one is the relevant or the observed, if larger.

    Given D of variance V at this look, that of the last one, of variance W, is normal with mean r·D + (1 − r)·δ,
    r = W/V, and variance (1 − r)·W (Lan, Simon and Halperin 1982).

    Args:
        level: of the pair, over all looks.
    """
    if look + 1 == len(design.looks):
        return 0.0
    if test.parts is None:  # nothing is known of the spread yet
        return 1.0
    last = designed(test.parts, design.looks[-1])
    here, there = float(designed(test.parts, design.looks[look]).variance), float(last.variance)
    observed = abs(test.points)
    critical = _last_boundary(level, design.fractions)
    needed = float(special.stdtrit(last.df, 1.0 - critical / 2.0)) * np.sqrt(there)
    ratio = min(1.0, there / here) if here > 0.0 else 1.0
    expected = ratio * observed + (1.0 - ratio) * max(design.points, observed)
    spread = np.sqrt((1.0 - ratio) * there)
    if spread == 0.0:
        return float(expected >= needed)
    return float(special.ndtr((expected - needed) / spread))


_LAST: dict[tuple[float, tuple[float, ...]], float] = {}


def _last_boundary(level: float, fractions: tuple[float, ...]) -> float:
    """The p at or below which the last look rejects."""
    if (level, fractions) not in _LAST:
        _LAST[level, fractions] = boundaries(level, fractions)[-1]
    return _LAST[level, fractions]
