"""The verdict in words, by rules that are declared before the numbers are known."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count as counting
from typing import Literal

from lasasr.metrics.bootstrap import RESAMPLES
from lasasr.metrics.significance.detectable import LEVEL, POWER
from lasasr.metrics.significance.permutation import least_exchange, least_sign_flip

Scope = Literal["systems", "runs"]
VerdictWord = Literal["better", "worse", "no difference shown", "cannot decide"]


@dataclass(frozen=True)
class Rules:
    """The parameters that are declared beforehand.

    Attributes:
        level: of every test; intervals hold with probability 1 − level.
        power: with which a difference must be found to be called detectable.
        trust_normal_seeds: take the seeds' spread as normal, so that two seeds against two can decide; without it,
            a verdict about systems needs so many seeds that exchanging them between the systems could reach the level.
        wanted_points: the difference that `needed` refers to; by default the observed one.
        resamples, seed: of the bootstraps and sign flips.
    """

    level: float = LEVEL
    power: float = POWER
    trust_normal_seeds: bool = False
    wanted_points: float | None = None
    resamples: int = RESAMPLES
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 < self.level < 0.5:
            raise ValueError(f"level must lie between 0 and 0.5, got {self.level}")
        if not 0.5 <= self.power < 1.0:
            raise ValueError(f"power must be at least 0.5 and below 1, got {self.power}")
        if self.wanted_points is not None and self.wanted_points <= 0.0:
            raise ValueError(f"wanted_points must be above 0, got {self.wanted_points}")


@dataclass(frozen=True)
class Verdict:
    """Of the first system of a pair against the second."""

    word: VerdictWord
    scope: Scope
    reason: str


def too_little(scope: Scope, speakers: int, seeds: tuple[int, int], rules: Rules) -> str | None:
    """Why the data cannot decide whatever the numbers are, and what would; None if they can.

    A t test gives any p by assuming normal distributions, which a handful of speakers or seeds cannot support. So the
    data must be enough for a test that assumes only that signs (speakers) or labels (seeds) are exchangeable under no
    difference: 2/2^N ≤ level, which four speakers (0.125) miss, and 2/C(M_1 + M_2, M_1) ≤ level, which three seeds
    against three (0.1) miss.
    """
    least = least_sign_flip(speakers)
    if least > rules.level:
        enough = next(n for n in counting(1) if least_sign_flip(n) <= rules.level)
        return f"{speakers} speaker{'s' * (speakers != 1)} cannot give p < {least:.3g}; at least {enough} are needed"
    if scope == "runs":
        return None
    if min(seeds) < 2:
        return f"with one seed, what another would do is not known; train {least_seeds(rules)} of each system"
    least = least_exchange(*seeds)
    if least > rules.level and not rules.trust_normal_seeds:
        enough = least_seeds(rules)
        return (
            f"{seeds[0]} seeds against {seeds[1]} cannot give p < {least:.3g} unless seeds are taken as normally "
            f"distributed; {enough} against {enough} can"
        )
    return None


def least_seeds(rules: Rules) -> int:
    """The fewest seeds of each system with which there is a verdict about systems."""
    if rules.trust_normal_seeds:
        return 2
    return next(seeds for seeds in counting(2) if least_exchange(seeds, seeds) <= rules.level)


def make_verdict(
    scope: Scope, obstacle: str | None, points: float, p: float | None, shown: str, rules: Rules
) -> Verdict:
    """The verdict.

    Args:
        obstacle: the result of `too_little`.
        points: rate of the first − rate of the second.
        p: adjusted for all compared pairs.
        shown: the numbers in words.
    """
    if obstacle is not None:
        return Verdict("cannot decide", scope, obstacle)
    if p is None:
        return Verdict("cannot decide", scope, "the difference is the same everywhere, so its spread is not known")
    if p > rules.level:
        return Verdict("no difference shown", scope, shown)
    return Verdict("better" if points < 0.0 else "worse", scope, shown)
