"""How often the tests of `lasasr.metrics.significance` are wrong, on simulated recognizers: docs/statistics.md.

python scripts/simulate_significance.py            print the tables
python scripts/simulate_significance.py --write    put them into docs/statistics.md

Errors of a run on an utterance are Poisson with mean

    rate · length · speaker · (speaker × system) · seed · (speaker × seed) · utterance · (utterance × run)

where every factor is random with mean 1: speaker Gamma(4), utterance Gamma(2) (hard for every run), utterance × run
Gamma(3) (so that counts are overdispersed), the others log-normal; in one setting some runs diverge. Speakers say
unequally much (log-normal). A difference of systems is taken from the rate of the first, and added to the second's,
half and half on every speaker.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lasasr.metrics.significance.detectable import detectable
from lasasr.metrics.significance.mixed import (
    Uncertainty,
    half_width,
    p_value,
    run_uncertainty,
    system_uncertainty,
    variance_parts,
)

PAGE = Path(__file__).parent.parent / "docs" / "statistics.md"
BEGIN, END = "<!-- scripts/simulate_significance.py begins -->", "<!-- scripts/simulate_significance.py ends -->"
LEVEL = 0.05
DRAWS = 2000  # resamples and random signs, shared by all pairs of a setting
DIVERGED = 3.0
EIGHT = 8  # comparisons on one test set
EXACT = 10  # speakers up to which all signs are tried
DIFFERENCES = (20, 40)  # percent of the rate: true differences whose power is stated for every setting

Array = NDArray[Any]


@dataclass(frozen=True)
class Setting:
    """A test set and two systems that are the same variant. Standard deviations are of logarithms."""

    name: str
    speakers: int
    utterances: int
    seeds: int
    rate: float = 0.15
    interaction: float = 0.1  # speaker × system
    seed_sd: float = 0.05
    speaker_seed: float = 0.05
    unequal: float = 0.3  # speakers' amounts of speech
    diverging: float = 0.0  # share of runs that have DIVERGED times the errors
    second_seeds: int | None = None  # of the second system; None: as many as the first has

    @property
    def runs(self) -> tuple[int, int]:
        """Seeds of both systems."""
        return self.seeds, self.second_seeds or self.seeds

    @property
    def expected(self) -> float:
        """Rate of a system over all runs."""
        return self.rate * (1.0 + self.diverging * (DIVERGED - 1.0))


SETTINGS = (
    Setting("few speakers", 6, 200, 3),
    Setting("few speakers, more seeds", 6, 200, 5),
    Setting("10 speakers", 10, 300, 3),
    Setting("10 speakers, more seeds", 10, 300, 5),
    Setting("20 speakers, 2 seeds", 20, 400, 2),
    Setting("20 speakers, 2 seeds, 0.1", 20, 400, 2, seed_sd=0.1),
    Setting("20 speakers, 2 seeds, 0.2", 20, 400, 2, seed_sd=0.2),
    Setting("20 speakers, 2 seeds, 0.3", 20, 400, 2, seed_sd=0.3),
    Setting("40 speakers, 2 seeds, 0.1", 40, 400, 2, seed_sd=0.1),
    Setting("40 speakers, 2 seeds, 0.2", 40, 400, 2, seed_sd=0.2),
    Setting("40 speakers, 2 seeds, 0.3", 40, 400, 2, seed_sd=0.3),
    Setting("40 speakers, 2 seeds against 6, 0.1", 40, 400, 2, seed_sd=0.1, second_seeds=6),
    Setting("40 speakers, 2 seeds against 6, 0.3", 40, 400, 2, seed_sd=0.3, second_seeds=6),
    Setting("20 speakers", 20, 400, 3),
    Setting("20 speakers, 3 seeds, 0.1", 20, 400, 3, seed_sd=0.1),
    Setting("20 speakers, 3 seeds, 0.2", 20, 400, 3, seed_sd=0.2),
    Setting("20 speakers, 3 seeds, 0.3", 20, 400, 3, seed_sd=0.3),
    Setting("40 speakers, 3 seeds, 0.2", 40, 400, 3, seed_sd=0.2),
    Setting("40 speakers, 3 seeds against 10, 0.15", 40, 400, 3, seed_sd=0.15, second_seeds=10),
    Setting("20 speakers, 4 seeds", 20, 400, 4),
    Setting("20 speakers, more seeds", 20, 400, 5),
    Setting("40 speakers", 40, 400, 3),
    Setting("40 speakers, more seeds", 40, 400, 5),
    Setting("low rate", 20, 400, 4, rate=0.03),
    Setting("seeds differ much", 20, 400, 4, seed_sd=0.1),
    Setting("seeds differ much, three", 40, 400, 3, seed_sd=0.1),
    Setting("very unequal speakers", 20, 400, 4, unequal=0.8),
    Setting("four speakers", 4, 200, 4),
    Setting("one seed", 20, 400, 1),
    Setting("one seed, seeds alike", 20, 400, 1, seed_sd=0.0),
    Setting("70 speakers, 4 seeds", 70, 300, 4),
    Setting("70 speakers, every fourth run diverges", 70, 300, 4, diverging=0.25),
    Setting("40 speakers, 4 seeds, 0.1", 40, 400, 4, seed_sd=0.1),
    Setting("40 speakers, 4 seeds against 10, 0.1", 40, 400, 4, seed_sd=0.1, second_seeds=10),
    Setting("40 speakers, 4 seeds against 20, 0.1", 40, 400, 4, seed_sd=0.1, second_seeds=20),
    Setting("40 speakers, 4 seeds against 20, 0.2", 40, 400, 4, seed_sd=0.2, second_seeds=20),
    Setting("40 speakers, 5 seeds against 20, 0.1", 40, 400, 5, seed_sd=0.1, second_seeds=20),
    Setting("70 speakers, 4 seeds, 0.1", 70, 300, 4, seed_sd=0.1),
)
OUTSIDE = (  # of what is promised
    *("few speakers", "few speakers, more seeds", "four speakers"),
    *(setting.name for setting in SETTINGS if setting.diverging),
)


@dataclass(frozen=True)
class Sets:
    """P test sets: N speakers, U utterances."""

    speakers: Array  # (P, U) whose utterance it is, counted over all test sets
    words: Array  # (P, U)
    lengths: Array  # (P, N) words of each speaker
    difficulty: Array  # (P, N)
    hardness: Array  # (P, U)

    def repeated(self, count: int, times: int) -> Sets:
        """The first `count` of them, `times` each."""
        fields = {name: np.repeat(value[:count], times, 0) for name, value in vars(self).items()}
        n, within = self.lengths.shape[1], fields["speakers"] % self.lengths.shape[1]
        return Sets(**{**fields, "speakers": within + n * np.arange(count * times)[:, None]})


@dataclass(frozen=True)
class Simulated:
    """P pairs of systems, each pair on a test set: M runs."""

    systems: tuple[Array, Array]  # (P, M, N) errors
    lengths: Array  # (P, N)
    utterances: Array  # (P, U) mean over runs of errors of the first − the second
    halves: Array  # (P, 2U) the same of the first runs, each utterance in two segments
    errors_in_halves: Array  # (P, 2U) whether there is any


def test_sets(setting: Setting, pairs: int, generator: np.random.Generator) -> Sets:
    """Draw test sets; every speaker says something."""
    shape = (pairs, setting.speakers)
    amount = np.exp(setting.unequal * generator.standard_normal(shape))
    edges = (amount.cumsum(1) / amount.sum(1, keepdims=True))[:, None, :-1]
    within = (generator.random((pairs, setting.utterances))[..., None] > edges).sum(-1)
    within[:, : setting.speakers] = np.arange(setting.speakers)
    speakers = within + setting.speakers * np.arange(pairs)[:, None]
    words = generator.integers(3, 18, speakers.shape)
    hardness = generator.gamma(2.0, 1 / 2.0, speakers.shape)
    return Sets(speakers, words, _by_speaker(speakers, words, shape), generator.gamma(4.0, 1 / 4.0, shape), hardness)


def _by_speaker(speakers: Any, values: Any, shape: tuple[int, int]) -> Any:
    return np.bincount(speakers.ravel(), values.ravel(), shape[0] * shape[1]).reshape(shape)


def run_errors(setting: Setting, sets: Sets, added: Array, seeds: int, generator: np.random.Generator) -> list[Array]:
    """Errors (P, U) of each seed of a system whose true rate is `added` (P, 1) above the setting's."""
    shape = sets.difficulty.shape

    def factor(deviation: float, *shape: int) -> Any:
        return np.exp(deviation * generator.standard_normal(shape) - 0.5 * deviation**2)

    of_system = setting.rate * sets.difficulty * factor(setting.interaction, *shape)
    of_system = np.maximum(of_system + added, 0.0)
    errors = []
    for _ in range(seeds):
        of_run = of_system * factor(setting.seed_sd, shape[0], 1) * factor(setting.speaker_seed, *shape)
        if setting.diverging:
            of_run *= np.where(generator.random((shape[0], 1)) < setting.diverging, DIVERGED, 1.0)
        mean = of_run.ravel()[sets.speakers] * sets.words * sets.hardness
        errors.append(generator.poisson(mean * generator.gamma(3.0, 1 / 3.0, mean.shape)))
    return errors


def errors_by_speaker(sets: Sets, errors: Sequence[Array]) -> Array:
    """(P, M, N) of each run (P, U)."""
    return np.stack([_by_speaker(sets.speakers, run, sets.difficulty.shape) for run in errors], 1)


def simulate(setting: Setting, sets: Sets, generator: np.random.Generator, points: Any = 0.0) -> Simulated:
    """Draw a pair of systems on each test set; the true rate of the second is `points`, a number or (P,), higher."""
    shape = sets.difficulty.shape
    half = np.broadcast_to(np.asarray(points) / 200.0, shape[0])[:, None]

    systems, means, halves = [], [], []
    for added, seeds in zip((-half, half), setting.runs, strict=True):
        errors = run_errors(setting, sets, added, seeds, generator)
        systems.append(errors_by_speaker(sets, errors))
        means.append(np.mean(errors, 0))
        first = generator.binomial(errors[0], 0.5)  # a Poisson count falls apart like that
        halves.append(np.concatenate([first, errors[0] - first], 1))
    return Simulated(
        systems=(systems[0], systems[1]),
        lengths=sets.lengths,
        utterances=means[0] - means[1],
        halves=halves[0] - halves[1],
        errors_in_halves=(halves[0] + halves[1]) > 0,
    )


def p_values(drawn: Simulated, generator: np.random.Generator) -> dict[str, Array]:
    """Two-sided p (P,) of every test."""
    differences = variance_parts(drawn.systems, drawn.lengths, (1.0, -1.0))
    by_speaker = drawn.systems[0].mean(1) - drawn.systems[1].mean(1)
    p = {} if differences.seeds is None else {"systems": p_value(differences.estimate, system_uncertainty(differences))}
    return {
        **p,
        "runs": p_value(differences.estimate, run_uncertainty(differences)),
        "bootstrap, utterances": bootstrap(drawn.utterances, generator),
        "bootstrap, speakers": bootstrap(by_speaker, generator),
        "sign flips": sign_flips(by_speaker, generator),
        "MAPSSWE": mapsswe(drawn.halves, drawn.errors_in_halves),
    }


def bootstrap(differences: Array, generator: np.random.Generator) -> Array:
    """`significance_bootstrap.paired_bootstrap` for many pairs: the sign of a resampled rate is that of its errors."""
    n = differences.shape[1]
    weights = generator.multinomial(n, np.full(n, 1 / n), DRAWS).astype(np.float32)
    drawn = differences.astype(np.float32) @ weights.T
    tails = np.minimum((drawn <= 1e-4).sum(1), (drawn >= -1e-4).sum(1))
    return np.minimum(1.0, 2.0 * (1 + tails) / (1 + DRAWS))


def sign_flips(differences: Array, generator: np.random.Generator) -> Array:
    """`significance_permutation.sign_flip` for many pairs."""
    n = differences.shape[1]
    exact = n <= EXACT
    signs = np.array(list(itertools.product((1, -1), repeat=n))) if exact else generator.choice([-1, 1], (DRAWS, n))
    hits = (np.abs(differences @ signs.T) >= np.abs(differences.sum(1, keepdims=True)) - 1e-9).sum(1)
    return hits / len(signs) if exact else (1 + hits) / (1 + DRAWS)


def mapsswe(differences: Array, any_error: Array) -> Array:
    """`significance_mapsswe.mapsswe` for many pairs, from segments of which those without errors do not count."""
    n = any_error.sum(1)
    mean = differences.sum(1) / n
    variance = (np.where(any_error, (differences - mean[:, None]) ** 2, 0.0).sum(1)) / (n - 1)
    return 2.0 * stats.norm.sf(np.abs(mean) / np.sqrt(variance / n))


@dataclass(frozen=True)
class Rates:
    """What one setting gave, in percent but for `stated`."""

    called: dict[str, float]  # how often each test calls two equal systems different
    stated: float  # median detectable difference, points
    power: float  # at the detectable difference, the mean of what eight comparisons on a test set state
    power_again: float  # of a second comparison at the detectable difference that the first one stated
    held: float | None  # how often a system's mixed interval holds its rate; None with one seed
    found: tuple[float, ...]  # how often a difference of so many percent of the rate is found, as in DIFFERENCES


def measure(setting: Setting, pairs: int, seed: int) -> Rates:
    """Simulate one setting."""
    generator = np.random.default_rng(seed)
    sets = test_sets(setting, pairs, generator)
    equal = simulate(setting, sets, generator)
    if setting.seeds == 1:  # the question is about these runs, so what seeds do is no error and no power
        setting = replace(setting, seed_sd=0.0)
    first = _uncertainty(simulate(setting, sets, generator))
    again = simulate(setting, sets, generator, detectable(first, LEVEL))
    few = sets.repeated(pairs // EIGHT, EIGHT)
    stated = detectable(_uncertainty(simulate(setting, few, generator)), LEVEL)
    together = np.repeat(stated.reshape(-1, EIGHT).mean(1), EIGHT)
    alone = variance_parts(equal.systems[:1], equal.lengths, (1.0,))
    held = None
    if alone.seeds is not None:
        held = _percent(
            np.abs(alone.estimate - 100 * setting.expected) <= half_width(system_uncertainty(alone), 1 - LEVEL)
        )
    return Rates(
        called={name: _percent(p <= LEVEL) for name, p in p_values(equal, generator).items()},
        stated=float(np.median(detectable(first, LEVEL))),
        power=_called_worse(simulate(setting, few, generator, together)),
        power_again=_called_worse(again),
        held=held,
        found=tuple(
            _called_worse(simulate(setting, sets, generator, setting.rate * percent)) for percent in DIFFERENCES
        ),
    )


def _uncertainty(drawn: Simulated) -> Uncertainty:
    differences = variance_parts(drawn.systems, drawn.lengths, (1.0, -1.0))
    return run_uncertainty(differences) if differences.seeds is None else system_uncertainty(differences)


def _called_worse(drawn: Simulated) -> float:
    """How often the second system is called worse, in percent."""
    estimate = variance_parts(drawn.systems, drawn.lengths, (1.0, -1.0)).estimate
    return _percent((p_value(estimate, _uncertainty(drawn)) <= LEVEL) & (estimate < 0.0))


def _percent(those: Any) -> float:
    return 100.0 * float(those.mean())


def tables(settings: Sequence[Setting], pairs: int, seed: int) -> str:
    """The result in Markdown."""
    outcomes = [measure(setting, pairs, seed + number) for number, setting in enumerate(settings)]
    sizes = [
        (setting.name, str(setting.speakers), str(setting.utterances), _seeds(setting), f"{setting.seed_sd:.2f}")
        for setting in settings
    ]
    tests = max((list(outcome.called) for outcome in outcomes), key=len)
    called = [
        (*size, *(_cell(outcome.called.get(name)) for name in tests))
        for size, outcome in zip(sizes, outcomes, strict=True)
    ]
    shown = [
        (
            *(size[0], f"{outcome.stated:.2f}", _cell(outcome.power), _cell(outcome.power_again)),
            *(*(_cell(found) for found in outcome.found), _cell(outcome.held)),
        )
        for size, outcome in zip(sizes, outcomes, strict=True)
    ]
    head = ("setting", "speakers", "utterances", "seeds", "sd of seeds")
    powers = ("setting", "detectable", "power", "power, stated by one comparison")
    return "\n\n".join(
        (
            f"`python scripts/simulate_significance.py --pairs {pairs} --seed {seed}`",
            "How often two equal systems are called different at the 5 % level, in percent of the pairs:",
            table((*head, *tests), called),
            "The difference called detectable (median, points), the power there, the power where systems differ by "
            f"{' or '.join(map(str, DIFFERENCES))} % of the rate, and how often the interval of a system's rate over "
            "speakers and seeds (95 %) holds the truth, in percent:",
            table((*powers, *(f"{percent} % of the rate" for percent in DIFFERENCES), "interval holds"), shown),
        )
    )


def _seeds(setting: Setting) -> str:
    return " against ".join(str(count) for count in dict.fromkeys(setting.runs))


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def main() -> None:
    """Print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="into docs/statistics.md, at the end alone")
    parser.add_argument("--pairs", type=int, default=10_000, help="simulated pairs per setting")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    result = tables(SETTINGS, arguments.pairs, arguments.seed)
    if arguments.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{result}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    else:
        print(result)


if __name__ == "__main__":
    main()
