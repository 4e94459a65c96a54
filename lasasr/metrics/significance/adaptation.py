"""What adapting a recognizer gained on the target and lost on the source.

Two questions about each method: is its error rate on the target lower than before, and is that on the source higher?
Each is the comparison of two systems on one test set (`significance.comparison`), paired by utterance, its variance
over speakers and seeds; p is adjusted by Holm for both questions of all methods, so that the chance of a false `gained`
or `forgot` anywhere in the table stays at the level, also where one looks for the best of several methods. What p is
for the two questions of one method alone is kept beside it: who had only this method in mind reads that.
docs/statistics.md has how often a false verdict happens in simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from lasasr.errors import LasasrError, UsageError
from lasasr.metrics.significance.comparison import ScoredSystem, SystemPair, verdicts
from lasasr.metrics.significance.pair import DifferenceTest
from lasasr.metrics.significance.permutation import holm
from lasasr.metrics.significance.scores import Run, System, same_test_set, scores
from lasasr.metrics.significance.verdict import Rules, VerdictWord

Side = Literal["target", "source"]
WORDS: Final[dict[Side, dict[VerdictWord, str]]] = {
    "target": {"better": "gained", "worse": "lost", "no difference shown": "no gain shown"},
    "source": {"better": "improved", "worse": "forgot", "no difference shown": "no forgetting shown"},
}


class OnBoth(NamedTuple):
    """A system on both test sets; the runs are the same."""

    target: System
    source: System


@dataclass(frozen=True)
class Change:
    """The answer to one question; differences are after − before, in points of the error rate."""

    side: Side
    before: float  # percent, mean over seeds
    after: float
    pair: SystemPair  # after against before; its p is adjusted for both questions of all methods
    p_alone: float | None  # adjusted for the two questions of this method alone

    @property
    def answer(self) -> DifferenceTest | None:
        """The test behind the verdict; None: there is one speaker."""
        return _answer(self.pair)

    @property
    def p(self) -> float | None:
        """Adjusted for both questions of all methods."""
        return self.pair.p_systems if self.pair.verdict.scope == "systems" else self.pair.p_runs

    @property
    def word(self) -> str:
        """The verdict in the words of its question."""
        return WORDS[self.side].get(self.pair.verdict.word, "cannot decide")


class Adaptation(NamedTuple):
    """Both answers about one method."""

    name: str
    target: Change
    source: Change


def adaptations(before: OnBoth, methods: Sequence[OnBoth], rules: Rules | None = None) -> list[Adaptation]:
    """Answer both questions about each method.

    Raises:
        LasasrError: a system cannot be scored, or two were not decoded on the same test set.
        UsageError: there is no method.
    """
    if not methods:
        raise UsageError("there is no adapted recognizer to compare with")
    pairs = []
    for method in methods:
        for after, earlier in zip(method, before, strict=True):
            same_test_set(earlier.name, _first(earlier), after.name, _first(after))
            pairs.append((ScoredSystem(after, scores(after)), ScoredSystem(earlier, scores(earlier))))
    judged = verdicts(pairs, rules or Rules(), "questions")
    alone = [p for both in zip(judged[::2], judged[1::2], strict=True) for p in _holm_of(both)]
    changes = [
        Change("source" if number % 2 else "target", earlier.scores.percent, after.scores.percent, pair, p)
        for number, ((after, earlier), pair, p) in enumerate(zip(pairs, judged, alone, strict=True))
    ]
    return [
        Adaptation(method.target.name, target, source)
        for method, target, source in zip(methods, changes[::2], changes[1::2], strict=True)
    ]


def _answer(pair: SystemPair) -> DifferenceTest | None:
    measured = pair.measurement
    return measured.systems if pair.verdict.scope == "systems" else measured.runs


def _holm_of(pairs: Sequence[SystemPair]) -> list[float | None]:
    """p of each pair, adjusted for these pairs alone."""
    return holm([None if (answer := _answer(pair)) is None else answer.p for pair in pairs])


def _first(system: System) -> Run:
    if not system.runs:
        raise LasasrError(f"{system.name} has no run with a result; nothing can be said about it")
    return system.runs[0]
