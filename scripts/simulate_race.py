"""How often races are wrong, what they find and what they cost, on simulated recognizers: docs/statistics.md.

python scripts/simulate_race.py            print the table
python scripts/simulate_race.py --write    put it into docs/statistics.md

The recognizers of scripts/simulate_significance.py, eight or three of them on a test set, race by
`lasasr.metrics.significance.race`. Beside it the fixed design: as many seeds of each system as the race has at most, or
fewer, all pairs by Holm.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import combinations, count, repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from simulate_significance import LEVEL, Setting, errors_by_speaker, run_errors, table, test_sets

from lasasr.metrics.significance.mixed import VarianceParts, p_value, system_uncertainty, variance_parts
from lasasr.metrics.significance.permutation import holm
from lasasr.metrics.significance.race import PairTest, RaceDesign, RaceState, look_seeds, race_p, take_look

PAGE = Path(__file__).parent.parent / "docs" / "statistics.md"
BEGIN, END = "<!-- scripts/simulate_race.py begins -->", "<!-- scripts/simulate_race.py ends -->"
LEAST, AT_ONCE = 4, 500
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """Systems whose true rates are so many points above that of the best."""

    name: str
    behind: tuple[float, ...]
    most: int = 8
    points: float = 3.0  # the relevant difference
    speakers: int = 40
    utterances: int = 400
    seed_sd: float = 0.05
    diverging: float = 0.0

    @property
    def setting(self) -> Setting:
        """Of each system."""
        return Setting(
            self.name, self.speakers, self.utterances, self.most, seed_sd=self.seed_sd, diverging=self.diverging
        )


def design(name: str, systems: int, most: int, points: float, seed_sd: float) -> tuple[Case, ...]:
    """The hardest case of a design first: all others are just as far behind the best as is relevant."""

    def case(what: str, *behind: float) -> Case:
        return Case(f"{name}: {what}", behind[:systems], most, points, seed_sd=seed_sd)

    return (
        case("one best, the others just behind", 0.0, *(points,) * 7),
        case("spread evenly", *(0.75 * points * index for index in range(8))),
        case("two best, the others far behind", 0.0, 0.0, *(2.0 * points,) * 6),
        case("all alike", *(0.0,) * 8),
    )


ALIKE = (0.0,) * 8
DESIGNS = (
    design("eight", 8, 8, 4.0, 0.05),
    design("eight, seeds differ", 8, 16, 6.0, 0.1),
    design("three", 3, 8, 4.0, 0.05),
)
OTHERS = (
    Case("eight alike, seeds differ by 15 %", ALIKE, seed_sd=0.15),
    Case("eight alike, seeds differ by 30 %", ALIKE, seed_sd=0.3),
    Case("eight alike, 20 speakers", ALIKE, speakers=20),
    Case("eight alike, one run in eight diverges", ALIKE, diverging=0.125),
    Case("eight spread, one run in eight diverges", DESIGNS[0][1].behind, points=4.0, diverging=0.125),
)


@dataclass
class Outcome:
    """Sums over races."""

    races: int = 0
    wrong: int = 0  # any false difference
    runs: int = 0
    found: int = 0  # systems shown to be worse, of those that are `points` or more behind
    behind: int = 0
    fixed_wrong: int = 0
    fixed_found: tuple[int, ...] = ()  # with each number of seeds of the fixed design


def measure(case: Case, races: int, seed: int, step: int = 1) -> Outcome:
    """Simulate one case."""
    generator = np.random.default_rng(seed)
    looks = look_seeds(LEAST, case.most, step)
    outcome = Outcome(fixed_found=(0,) * (case.most - LEAST + 1))
    for done in range(0, races, AT_ONCE):
        size = min(AT_ONCE, races - done)
        sets = test_sets(case.setting, size, generator)
        errors = [
            errors_by_speaker(
                sets, run_errors(case.setting, sets, np.full((size, 1), points / 100.0), case.most, generator)
            )
            for points in case.behind
        ]
        by_seeds = {seeds: _pairs(errors, sets.lengths, seeds) for seeds in range(LEAST, case.most + 1)}
        for number in range(size):
            _race(case, looks, by_seeds, number, outcome)
            _fixed(case, by_seeds, number, outcome)
    return outcome


Drawn = tuple[Array, dict[tuple[int, int], tuple[VarianceParts, Array, Array]]]


def _pairs(errors: Sequence[Array], lengths: Array, seeds: int) -> Drawn:
    """Rates (P, K), and of each pair its variances, p of a race and p (P,), from the first `seeds` of each."""
    rates = np.stack([100.0 * of[:, :seeds].sum((1, 2)) / (seeds * lengths.sum(-1)) for of in errors], 1)
    tested = {}
    for first, second in combinations(range(len(errors)), 2):
        parts = variance_parts([errors[first][:, :seeds], errors[second][:, :seeds]], lengths, (1.0, -1.0))
        fixed = p_value(parts.estimate, system_uncertainty(parts))
        tested[first, second] = parts, race_p(parts), fixed
    return rates, tested


def _at(parts: VarianceParts, number: int) -> VarianceParts:
    assert parts.seeds is not None
    fields = {name: getattr(parts.seeds, name)[number] for name in ("variance", "welch_df", "residual")}
    of_speakers = parts.estimate[number], parts.speakers[number], np.asarray(parts.speakers_df)[number]
    return VarianceParts(*of_speakers, parts.seeds._replace(**fields))


def _race(case: Case, looks: tuple[int, ...], by_seeds: dict[int, Drawn], number: int, outcome: Outcome) -> None:
    names = [str(index) for index in range(len(case.behind))]
    design, state = RaceDesign(looks, case.points, LEVEL), RaceState(names)
    behind, seen = dict(zip(names, case.behind, strict=True)), 0
    for look, seeds in enumerate(looks):
        racing = state.racing
        if len(racing) < 2:
            break
        outcome.runs += (seeds - seen) * len(racing)
        seen = seeds
        rates, tested = by_seeds[seeds]
        tests = {
            (first, second): PairTest(float(parts.estimate[number]), float(p[number]), _at(parts, number))
            for first, second in combinations(racing, 2)
            for parts, p, _ in [tested[int(first), int(second)]]
        }
        take_look(design, state, look, {name: float(rates[number, int(name)]) for name in racing}, tests)
    adjusted = state.adjusted()
    outcome.races += 1
    outcome.wrong += any(p <= LEVEL and behind[first] == behind[second] for (first, second), p in adjusted.items())
    out = {name for name, left in state.left.items() if left.reason == "worse"}
    outcome.found += sum(name in out for name in names if behind[name] >= case.points)
    outcome.behind += sum(points >= case.points for points in case.behind)


def _fixed(case: Case, by_seeds: dict[int, Drawn], number: int, outcome: Outcome) -> None:
    """The systems that the fixed design shows to be worse than another one, with each number of seeds."""
    found = []
    for seeds, (rates, tested) in by_seeds.items():
        adjusted = dict(zip(tested, holm([float(p[number]) for *_, p in tested.values()]), strict=True))
        different = [pair for pair, p in adjusted.items() if p is not None and p <= LEVEL]
        worse = {max(pair, key=lambda index: rates[number, index]) for pair in different}
        found.append(sum(case.behind[index] >= case.points for index in worse))
        if seeds == case.most:
            outcome.fixed_wrong += any(case.behind[first] == case.behind[second] for first, second in different)
    outcome.fixed_found = tuple(sum(pair) for pair in zip(outcome.fixed_found, found, strict=True))


def equal_power_runs(case: Case, outcome: Outcome) -> float:
    """Runs of the fixed design that finds as many as the race, between whole numbers of seeds by interpolation."""
    found = np.maximum.accumulate(outcome.fixed_found)
    return len(case.behind) * float(np.interp(outcome.found, found, np.arange(LEAST, case.most + 1)))


def result(races: int, seed: int, processes: int) -> str:
    """The table in Markdown."""
    cases = [*(case for cases in DESIGNS for case in cases), *OTHERS]
    with ProcessPoolExecutor(processes) as pool:
        outcomes = dict(zip(cases, pool.map(measure, cases, repeat(races), count(seed)), strict=False))
    equal = {case: equal_power_runs(cases[0], outcomes[cases[0]]) for cases in DESIGNS for case in cases}

    def share(counted: int, of: int) -> str:
        return f"{100.0 * counted / of:.1f}" if of else "–"

    rows = []
    for case, outcome in outcomes.items():
        fixed, runs = len(case.behind) * case.most, outcome.runs / outcome.races
        rows.append(
            (
                *(case.name, share(outcome.wrong, outcome.races), share(outcome.fixed_wrong, outcome.races)),
                *(share(outcome.found, outcome.behind), share(outcome.fixed_found[-1], outcome.behind)),
                *(f"{runs:.1f} of {fixed}", f"{100.0 * runs / equal[case]:.0f}" if case in equal else "–"),
            )
        )
    head = ("setting", "wrong", "wrong, fixed", "found", "found, fixed", "runs", "% of equal power")
    mean = np.mean([outcomes[case].runs / outcomes[case].races / equal[case] for case in equal])
    return "\n\n".join(
        (
            f"`python scripts/simulate_race.py --races {races} --seed {seed}`",
            table(head, rows),
            f"The mean of the last column is {100.0 * mean:.0f} %.",
        )
    )


def main() -> None:
    """Print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="into docs/statistics.md")
    parser.add_argument("--races", type=int, default=4_000, help="simulated races per setting")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    text = result(arguments.races, arguments.seed, arguments.processes)
    if arguments.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
