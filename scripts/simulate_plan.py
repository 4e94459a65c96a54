"""Whether plans hold: pilots and the planned comparisons on the simulated recognizers of simulate_significance.py.

python scripts/simulate_plan.py [--pairs 4000] [--seed 1]

For each pilot the plan states the difference that M seeds of each system, perhaps on more speakers, find with 80 %
power. The power printed is how often comparisons of that design, on other test sets and with other seeds, find it:
of what one pilot states, and of what the mean variance of all pilots states, which is as good as the true one.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from simulate_significance import LEVEL, Setting, simulate, test_sets

from lasasr.metrics.significance.mixed import VarianceParts, p_value, system_uncertainty, variance_parts
from lasasr.metrics.significance.planning import designed, detectable_difference

SETTINGS = (  # pilot, seeds of each that are planned, times as many speakers and utterances
    (Setting("2 seeds, plan 4", 40, 400, 2), 4, 1),
    (Setting("2 seeds, plan 8", 40, 400, 2), 8, 1),
    (Setting("4 seeds, plan 8", 20, 400, 4), 8, 1),
    (Setting("4 seeds, plan 4 on twice the speakers", 20, 400, 4), 4, 2),
    (Setting("2 seeds that differ much, plan 8", 40, 400, 2, seed_sd=0.1), 8, 1),
)


def found(setting: Setting, points: np.ndarray, generator: np.random.Generator) -> float:
    """The share of comparisons that find differences of so many points (P,), in percent."""
    drawn = simulate(setting, test_sets(setting, len(points), generator), generator, points)
    parts = variance_parts(drawn.systems, drawn.lengths, (1.0, -1.0))
    return 100.0 * float(((p_value(parts.estimate, system_uncertainty(parts)) <= LEVEL) & (parts.estimate < 0)).mean())


def planned(parts: VarianceParts, index: int | None, seeds: int, times: int) -> float:
    """The detectable difference that the plan of one pilot states, or of the mean of all (None)."""

    def of(values: np.ndarray) -> np.ndarray:
        return np.asarray(values.mean() if index is None else values[index])

    assert parts.seeds is not None
    fields = {name: of(getattr(parts.seeds, name)) for name in ("variance", "residual")}
    fields["welch_df"] = np.asarray(sum(parts.seeds.runs) - 2.0 if index is not None else np.inf)
    pilot = VarianceParts(np.zeros(()), of(parts.speakers), of(parts.speakers_df), parts.seeds._replace(**fields))
    return detectable_difference(designed(pilot, seeds, float(times)))


def main() -> None:
    """Print a line per setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| pilot and plan | stated, median | power, one pilot | power, mean of pilots |\n| --- | --- | --- | --- |")
    for setting, seeds, times in SETTINGS:
        generator = np.random.default_rng(options.seed)
        pilots = simulate(setting, test_sets(setting, options.pairs, generator), generator)
        parts = variance_parts(pilots.systems, pilots.lengths, (1.0, -1.0))
        target = replace(setting, seeds=seeds, speakers=times * setting.speakers, utterances=times * setting.utterances)
        each = np.array([planned(parts, index, seeds, times) for index in range(options.pairs)])
        mean = np.full(options.pairs, planned(parts, None, seeds, times))
        shares = (found(target, points, generator) for points in (each, mean))
        print(f"| {setting.name} | {np.median(each):.2f} | " + " | ".join(f"{share:.1f}" for share in shares) + " |")


if __name__ == "__main__":
    main()
