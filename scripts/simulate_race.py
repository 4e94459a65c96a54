"""How often races are wrong, what they find and what they cost, on simulated recognizers: docs/statistics.md.

python scripts/simulate_race.py            print the table
python scripts/simulate_race.py --write    put it into docs/statistics.md

The recognizers of scripts/simulate_significance.py, eight or three of them on a test set, race by
`lasasr.metrics.significance.race_step`. Beside it the fixed design: as many seeds of each system as the race has at
most, or fewer, all pairs by Holm as `lasasr compare` does; and one more with the race's own test and claims.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import count, repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from simulate_significance import LEVEL, Setting, errors_by_speaker, run_errors, table, test_sets

from lasasr.metrics.significance.mixed import VarianceParts, p_value, system_uncertainty, variance_parts
from lasasr.metrics.significance.planning import designed
from lasasr.metrics.significance.race import look_seeds, race_p
from lasasr.metrics.significance.race_step import Evidence, adjusted, step

PAGE = Path(__file__).parent.parent / "docs" / "statistics.md"
BEGIN, END = "<!-- scripts/simulate_race.py begins -->", "<!-- scripts/simulate_race.py ends -->"
LEAST, AT_ONCE = 4, 250
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


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
    first_sd: float | None = None  # of the first system's seeds, where another one

    def setting(self, system: int) -> Setting:
        """Of a system."""
        seed_sd = self.first_sd if system == 0 and self.first_sd is not None else self.seed_sd
        return Setting(self.name, self.speakers, self.utterances, self.most, seed_sd=seed_sd, diverging=self.diverging)


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
HARDEST = tuple(cases[0] for cases in DESIGNS)  # whose fixed design is tried with each number of seeds
OTHERS = (
    Case("eight alike, seeds differ by 15 %", ALIKE, seed_sd=0.15),
    Case("eight alike, seeds differ by 30 %", ALIKE, seed_sd=0.3),
    Case("eight alike, 20 speakers", ALIKE, speakers=20),
    Case("eight alike, one run in eight diverges", ALIKE, diverging=0.125),
    Case("eight alike, the seeds of one differ by 30 %", ALIKE, first_sd=0.3),
    Case("three alike, the seeds of one differ by 30 %", ALIKE[:3], first_sd=0.3),
    Case("three alike, one run in eight diverges", ALIKE[:3], diverging=0.125),
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
    fixed_found: tuple[int, ...] = ()  # of the hardest case with each number of seeds, else with the most
    same_test_found: tuple[int, ...] = ()  # likewise, by the test and the claims of the race


class Drawn(NamedTuple):
    """The first so many seeds of K systems in P races."""

    rates: Array  # (P, K)
    parts: VarianceParts  # (P, pairs)


def measure(case: Case, races: int, seed: int, step_seeds: int = 1) -> Outcome:
    """Simulate one case."""
    generator = np.random.default_rng(seed)
    looks = look_seeds(LEAST, case.most, step_seeds)
    numbers = range(LEAST, case.most + 1)
    nothing = (0,) * (len(numbers) if case in HARDEST else 1)
    outcome = Outcome(fixed_found=nothing, same_test_found=nothing)
    for done in range(0, races, AT_ONCE):
        size = min(AT_ONCE, races - done)
        sets = test_sets(case.setting(0), size, generator)
        errors = [
            errors_by_speaker(
                sets, run_errors(case.setting(index), sets, np.full((size, 1), points / 100.0), case.most, generator)
            )
            for index, points in enumerate(case.behind)
        ]
        by_seeds = {seeds: _drawn(errors, sets.lengths, seeds) for seeds in numbers}
        _race(case, looks, by_seeds, outcome)
        _fixed(case, by_seeds, outcome)
    print(f"{case}\n{outcome}", file=sys.stderr, flush=True)
    return outcome


def _pairs(systems: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.triu_indices(systems, 1)


def _drawn(errors: Sequence[Array], lengths: Array, seeds: int) -> Drawn:
    first, second = _pairs(len(errors))
    totals = np.stack([of[:, :seeds] for of in errors], 1)  # (P, K, M, N)
    runs = 100.0 * totals.sum(-1) / lengths.sum(-1)[:, None, None]
    parts = variance_parts([totals[:, first], totals[:, second]], np.asarray(lengths)[:, None], (1.0, -1.0))
    parts = parts._replace(speakers_df=np.broadcast_to(parts.speakers_df, parts.estimate.shape))
    return Drawn(runs.mean(-1), parts)


def _square(values: Array, systems: int, sign: float = 1.0) -> Array:
    """(P, pairs) as (P, K, K)."""
    first, second = _pairs(systems)
    square = np.full((len(values), systems, systems), np.nan)
    square[:, first, second] = values
    square[:, second, first] = sign * values
    return square


def _race(case: Case, looks: tuple[int, ...], by_seeds: dict[int, Drawn], outcome: Outcome) -> None:
    systems, fractions = len(case.behind), tuple(seeds / looks[-1] for seeds in looks)
    races = len(by_seeds[looks[0]].rates)
    racing, out = np.ones((races, systems), dtype=bool), np.zeros((races, systems), dtype=bool)
    levels, seen = np.ones((races, systems, systems)), 0
    for look, seeds in enumerate(looks):
        racing &= racing.sum(1, keepdims=True) > 1
        outcome.runs += int((seeds - seen) * racing.sum())
        drawn, seen = by_seeds[seeds], seeds
        last = designed(drawn.parts, looks[-1])
        evidence = Evidence(
            _square(drawn.parts.estimate, systems, -1.0),
            *(
                _square(np.broadcast_to(value, drawn.parts.estimate.shape), systems)
                for value in (race_p(drawn.parts), designed(drawn.parts, seeds).variance, last.variance, last.df)
            ),
        )
        result = step(fractions, look, LEVEL, case.points, levels, racing, drawn.rates, evidence)
        levels, out = result.levels, out | result.worse
        racing = racing & ~result.worse & ~result.futile
    outcome.races += races
    outcome.wrong += int(_false(case, adjusted(levels) <= LEVEL).sum())
    behind = np.array(case.behind) >= case.points
    outcome.found += int((out & behind).sum())
    outcome.behind += races * int(behind.sum())


def _false(case: Case, worse: Mask) -> Mask:
    """(P) whether any system is called worse (P, K, K) than one that is not better."""
    behind = np.array(case.behind)
    return (worse & (behind[:, None] <= behind)).any((1, 2))


def _fixed(case: Case, by_seeds: dict[int, Drawn], outcome: Outcome) -> None:
    """The systems that fixed designs show to be worse than another one."""
    behind = np.array(case.behind) >= case.points
    found, same_test = [], []
    for seeds, drawn in by_seeds.items():
        if seeds < case.most and case not in HARDEST:
            continue
        higher = _square(drawn.parts.estimate, len(case.behind), -1.0) > 0.0
        holm = _holm(p_value(drawn.parts.estimate, system_uncertainty(drawn.parts)))
        worse = higher & (_square(holm, len(case.behind)) <= LEVEL)
        found.append(int((worse.any(-1) & behind).sum()))
        if seeds == case.most:
            outcome.fixed_wrong += int(_false(case, worse).sum())
        own = adjusted(np.where(higher, _square(race_p(drawn.parts), len(case.behind)), 1.0))
        same_test.append(int(((own <= LEVEL).any(-1) & behind).sum()))
    outcome.fixed_found = tuple(sum(pair) for pair in zip(outcome.fixed_found, found, strict=True))
    outcome.same_test_found = tuple(sum(pair) for pair in zip(outcome.same_test_found, same_test, strict=True))


def _holm(p: Array) -> Array:
    """Holm's adjustment of each row (P, pairs)."""
    order = np.argsort(p, 1)
    ascending = np.take_along_axis(p, order, 1) * (p.shape[1] - np.arange(p.shape[1]))
    holm = np.empty_like(p)
    np.put_along_axis(holm, order, np.maximum.accumulate(ascending, 1), 1)
    return holm


def equal_power_runs(case: Case, wanted: int, found: Sequence[int]) -> float:
    """Runs of a fixed design that finds as many as the race, between whole numbers of seeds by interpolation."""
    of_seeds = np.maximum.accumulate(found)
    return len(case.behind) * float(np.interp(wanted, of_seeds, np.arange(LEAST, case.most + 1)))


def result(races: int, seed: int, processes: int) -> str:
    """The table in Markdown."""
    cases = [*(case for cases in DESIGNS for case in cases), *OTHERS]
    with ProcessPoolExecutor(processes) as pool:
        outcomes = dict(zip(cases, pool.map(measure, cases, repeat(races), count(seed)), strict=False))
    shares: dict[Case, tuple[float, float]] = {}
    for cases in DESIGNS:
        hardest = outcomes[cases[0]]
        equal = [
            equal_power_runs(cases[0], hardest.found, found) for found in (hardest.fixed_found, hardest.same_test_found)
        ]
        for case in cases:
            runs = outcomes[case].runs / outcomes[case].races
            shares[case] = 100.0 * runs / equal[0], 100.0 * runs / equal[1]

    def share(counted: int, of: int) -> str:
        return f"{100.0 * counted / of:.1f}" if of else "–"

    rows = []
    for case, outcome in outcomes.items():
        fixed, runs = len(case.behind) * case.most, outcome.runs / outcome.races
        of_equal_power = [f"{value:.0f}" for value in shares[case]] if case in shares else ["–", "–"]
        rows.append(
            (
                *(case.name, share(outcome.wrong, outcome.races), share(outcome.fixed_wrong, outcome.races)),
                *(share(outcome.found, outcome.behind), share(outcome.fixed_found[-1], outcome.behind)),
                *(f"{runs:.1f} of {fixed}", *of_equal_power),
            )
        )
    head = ("setting", "wrong", "wrong, fixed", "found", "found, fixed", "runs", "% of equal power", "same test")
    means = np.mean(list(shares.values()), 0)
    return "\n\n".join(
        (
            f"`python scripts/simulate_race.py --races {races} --seed {seed}`",
            table(head, rows),
            f"The means of the last two columns are {means[0]:.0f} and {means[1]:.0f} %.",
        )
    )


def main() -> None:
    """Print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="into docs/statistics.md, at the end alone")
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
