"""How often `lasasr adapted` is wrong about recognizers that did not change, on simulated ones: docs/statistics.md.

python scripts/simulate_adapted.py            print the table
python scripts/simulate_adapted.py --write    put it into docs/statistics.md

The recognizers of scripts/simulate_significance.py, before and after on two test sets: equal on both, or with a planted
loss on the source. Verdicts are those of `lasasr.metrics.significance.adaptation`: the test over speakers (and seeds,
where there are at least two), adjusted by Holm for the two questions.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from simulate_significance import LEVEL, Setting, simulate, table, test_sets

from lasasr.metrics.significance.mixed import p_value, run_uncertainty, system_uncertainty, variance_parts

PAGE = Path(__file__).parent.parent / "docs" / "statistics.md"
BEGIN, END = "<!-- scripts/simulate_adapted.py begins -->", "<!-- scripts/simulate_adapted.py ends -->"
PLANTED = 0.4  # of the rate: the loss on the source


@dataclass(frozen=True)
class Case:
    """Two test sets; seeds are those of the setting."""

    name: str
    source: Setting
    target: Setting


def case(name: str, seeds: int, speakers: tuple[int, int], utterances: tuple[int, int], **options: float) -> Case:
    """The rate on the target is twice that on the source, as before an adaptation that is needed."""
    source, target = (
        Setting(name, people, count, seeds, **options)  # type: ignore[arg-type]
        for people, count in zip(speakers, utterances, strict=True)
    )
    return Case(name, source, replace(target, rate=2 * source.rate))


CASES = (
    case("one run, few speakers", 1, (10, 6), (300, 200)),
    case("one run", 1, (20, 20), (400, 400)),
    case("one run, low rate", 1, (20, 20), (400, 400), rate=0.03),
    case("one run, very unequal speakers", 1, (40, 20), (400, 400), unequal=0.8),
    case("four seeds", 4, (20, 20), (400, 400)),
    case("four seeds that differ much", 4, (40, 20), (400, 400), seed_sd=0.1),
    case("four seeds, few speakers", 4, (10, 6), (300, 200)),
)


def changes(
    setting: Setting, pairs: int, generator: np.random.Generator, points: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Differences after − before (P,) in points, and their p (P,); the true difference is `points`."""
    if setting.seeds == 1:  # about these runs, so what seeds do is no error
        setting = replace(setting, seed_sd=0.0)
    drawn = simulate(setting, test_sets(setting, pairs, generator), generator, -points)
    parts = variance_parts(drawn.systems, drawn.lengths, (1.0, -1.0))  # the first is what came after
    uncertainty = run_uncertainty(parts) if parts.seeds is None else system_uncertainty(parts)
    return parts.estimate, p_value(parts.estimate, uncertainty)


def holm_of_two(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Both p (P,), adjusted as by `significance.permutation.holm`."""
    least = np.minimum(1.0, 2.0 * np.minimum(first, second))
    return tuple(np.where(p <= other, least, np.maximum(least, p)) for p, other in ((first, second), (second, first)))


def shares(of: Case, pairs: int, generator: np.random.Generator, planted: float) -> dict[str, float]:
    """How often each verdict is given, in percent of the pairs."""
    target, p_target = changes(of.target, pairs, generator)
    source, p_source = changes(of.source, pairs, generator, 100.0 * planted * of.source.rate)
    called_target, called_source = (p <= LEVEL for p in holm_of_two(p_target, p_source))
    verdicts = {
        "gained": called_target & (target < 0.0),
        "forgot": called_source & (source > 0.0),
        "either changed": called_target | called_source,
    }
    return {name: 100.0 * float(given.mean()) for name, given in verdicts.items()}


def result(pairs: int, seed: int) -> str:
    """The table in Markdown."""
    rows = []
    for number, of in enumerate(CASES):
        equal = shares(of, pairs, np.random.default_rng(seed + number), 0.0)
        planted = shares(of, pairs, np.random.default_rng(seed + 100 + number), PLANTED)
        sizes = (f"{setting.speakers} speakers, {setting.utterances} utterances" for setting in (of.source, of.target))
        rows.append((of.name, *sizes, *(f"{value:.1f}" for value in equal.values()), f"{planted['forgot']:.1f}"))
    head = ("setting", "source", "target", *(f"{name}, wrongly" for name in equal), "forgot, rightly")
    return "\n\n".join(
        (
            f"`python scripts/simulate_adapted.py --pairs {pairs} --seed {seed}`",
            "How often recognizers that did not change are said to have changed, and how often a planted loss of "
            f"{PLANTED:.0%} of the source's rate is found, in percent of the pairs:",
            table(head, rows),
        )
    )


def main() -> None:
    """Print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="into docs/statistics.md, at the end alone")
    parser.add_argument("--pairs", type=int, default=10_000, help="simulated pairs per setting")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    text = result(arguments.pairs, arguments.seed)
    if arguments.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
