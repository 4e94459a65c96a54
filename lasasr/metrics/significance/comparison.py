"""Which system is better, by how much, and what the data cannot decide; docs/statistics.md explains every number.

`compare` takes systems with their seeds and returns a summary of each, and for each pair the tests and two verdicts:

* about the systems: would it show on other speakers with other seeds? Seeds are part of the variance.
* about the runs: would these trained models differ on other speakers? Seeds are not.

The test of the verdicts is that of `significance.mixed`, declared beforehand; the other tests are reported beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from lasasr.errors import UsageError, nearest
from lasasr.metrics.significance.pair import DifferenceTest, PairMeasurement, measure
from lasasr.metrics.significance.permutation import holm
from lasasr.metrics.significance.scores import Scores, System, same_test_set, scores
from lasasr.metrics.significance.summary import Summary, summarise
from lasasr.metrics.significance.verdict import Rules, Scope, Verdict, make_verdict, too_little


@dataclass(frozen=True)
class SystemPair:
    """Two systems; every difference is first − second."""

    first: str
    second: str
    measurement: PairMeasurement
    p_systems: float | None  # of `measurement.systems`, adjusted by Holm for all compared pairs
    p_runs: float | None  # of `measurement.runs`, likewise
    systems: Verdict
    runs: Verdict

    @property
    def verdict(self) -> Verdict:
        """The one to show first: about the systems, or about these runs of them where that cannot be decided."""
        return self.runs if self.systems.word == "cannot decide" else self.systems


@dataclass(frozen=True)
class Comparison:
    """The summaries in the order of the systems, and all pairs."""

    rules: Rules
    summaries: tuple[Summary, ...]
    pairs: tuple[SystemPair, ...]


class Repeated(NamedTuple):
    """What a race has found at its looks (`significance.race`)."""

    p: Mapping[frozenset[str], float]  # of two systems, adjusted for all looks and all pairs
    looks: int


def compare(
    systems: Sequence[System],
    baseline: str | None = None,
    rules: Rules | None = None,
    repeated: Repeated | None = None,
) -> Comparison:
    """Compare all pairs, or each system with `baseline` only.

    Args:
        repeated: the runs are those of a race, whose p stand in the place of those of a single look.

    Raises:
        LasasrError: a system cannot be scored, or two were not decoded on the same test set.
        UsageError: two systems have one name, or none has the baseline's.
    """
    rules = rules or Rules()
    names = [system.name for system in systems]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise UsageError(f"two systems are called {name}; give each a name of its own")
    if baseline is not None and baseline not in names:
        raise UsageError(f"no system is called {baseline}; {nearest(baseline, names)}")
    tables = {system.name: scores(system) for system in systems}
    for system in systems[1:]:
        same_test_set(systems[0].name, systems[0].runs[0], system.name, system.runs[0])
    scored = {system.name: ScoredSystem(system, tables[system.name]) for system in systems}
    pairs = [
        (first, second)
        for first, second in (
            combinations(systems, 2)
            if baseline is None
            else ((first, second) for first in systems for second in systems if second.name == baseline != first.name)
        )
    ]
    return Comparison(
        rules,
        tuple(summarise(system, rules, tables[system.name]) for system in systems),
        verdicts([(scored[first.name], scored[second.name]) for first, second in pairs], rules, repeated=repeated),
    )


class ScoredSystem(NamedTuple):
    """A system on a test set."""

    system: System
    scores: Scores


def verdicts(
    pairs: Sequence[tuple[ScoredSystem, ScoredSystem]],
    rules: Rules,
    noun: str = "pairs",
    repeated: Repeated | None = None,
) -> tuple[SystemPair, ...]:
    """Measure each pair on its own test set; p is adjusted by Holm for all of them.

    Args:
        noun: what the pairs are called in reasons.
        repeated: the runs are those of a race.
    """
    measurements = [measure(first.system, second.system, first.scores, second.scores, rules) for first, second in pairs]
    p_systems = holm([None if measurement.systems is None else measurement.systems.p for measurement in measurements])
    p_runs = holm([None if measurement.runs is None else measurement.runs.p for measurement in measurements])
    holm_of = f" after Holm for {len(pairs)} {noun}" if len(pairs) > 1 else ""
    if repeated is not None:
        p_systems = [
            None if p is None else repeated.p.get(frozenset((first.system.name, second.system.name)))
            for (first, second), p in zip(pairs, p_systems, strict=True)
        ]
        p_runs = [None if p is None else min(1.0, p * repeated.looks) for p in p_runs]
        holm_of = " after Holm and for all looks of the race"
    return tuple(
        SystemPair(
            first.system.name,
            second.system.name,
            measurement,
            p,
            q,
            _verdict("systems", measurement.systems, (first.scores, second.scores), p, holm_of, rules),
            _verdict("runs", measurement.runs, (first.scores, second.scores), q, holm_of, rules),
        )
        for (first, second), measurement, p, q in zip(pairs, measurements, p_systems, p_runs, strict=True)
    )


def _verdict(
    scope: Scope,
    answer: DifferenceTest | None,
    tables: tuple[Scores, Scores],
    p: float | None,
    holm_of: str,
    rules: Rules,
) -> Verdict:
    first, second = tables
    obstacle = too_little(scope, first.heard_speakers, (len(first.errors), len(second.errors)), rules)
    shown = "" if answer is None or p is None else _shown(answer, p, holm_of, rules)
    return make_verdict(scope, obstacle, first.percent - second.percent, p, shown, rules)


def _shown(answer: DifferenceTest, p: float, holm_of: str, rules: Rules) -> str:
    """The numbers behind a verdict, in words."""
    if answer.detectable is None:
        return "both make the same errors on every speaker"
    low, high = answer.interval.low, answer.interval.high
    alone = " alone" if holm_of else ""  # what would be found is that of a single test
    return (
        f"difference {low:+.2f} to {high:+.2f} points, p = {p:.3g}{holm_of}; "
        f"{answer.detectable:.2f} points{alone} would be found with {rules.power:.0%} power"
    )
