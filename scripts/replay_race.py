"""The first look of a race, replayed from a published comparison whose runs are gone: recipes/synthetic/README.md.

python scripts/replay_race.py recipes/synthetic/results/hard.json --difference 2 --most-seeds 8

A card has the rates of all seeds, but variances only of the pairs that it compares; where these are those with a
baseline, the other pairs are not tested and can make no system leave.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from pathlib import Path

import numpy as np

from lasasr.comparison.pilot import pair_parts
from lasasr.metrics.significance.mixed import scalar
from lasasr.metrics.significance.moderated import SeedSpread
from lasasr.metrics.significance.race import (
    PairTest,
    RaceDesign,
    RaceState,
    look_seeds,
    moderated_spreads,
    race_p,
    take_look,
)


def main() -> None:
    """Print who would have left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("card", type=Path)
    parser.add_argument("--difference", type=float, required=True)
    parser.add_argument("--most-seeds", type=int, required=True)
    arguments = parser.parse_args()
    card = json.loads(arguments.card.read_text(encoding="utf-8"))
    rates = {str(system["name"]): np.array(list(system["percents"].values())) for system in card["systems"]}
    seeds = {name: len(percents) for name, percents in rates.items()}
    least = min(seeds.values())
    means = {name: float(percents.mean()) for name, percents in rates.items()}
    spreads = moderated_spreads(
        {
            name: SeedSpread(scalar(of.var(ddof=1)), scalar(len(of) - 1.0), scalar(of.mean()))
            for name, of in rates.items()
        }
    )
    compared = {frozenset((str(pair["first"]), str(pair["second"]))): pair for pair in card["pairs"]}
    tests = {}
    for first, second in combinations(rates, 2):
        points = means[first] - means[second]
        pair = compared.get(frozenset((first, second)))
        parts = None if pair is None else pair_parts(pair, seeds)
        tests[first, second] = PairTest(points, None, None)
        if parts is not None:
            parts = parts._replace(estimate=scalar(points))
            tests[first, second] = PairTest(points, float(race_p(parts, spreads[first], spreads[second])), parts)
    state = RaceState(list(rates))
    design = RaceDesign(look_seeds(least, arguments.most_seeds), arguments.difference)
    take_look(design, state, 0, means, tests)
    adjusted = state.adjusted()
    for name, left in state.left.items():
        p = adjusted.get((name, str(left.against)), 1.0)
        print(f"{name} leaves: {left.reason}, against {left.against}" + (f", p = {p:.2g}" if p < 1.0 else ""))
    runs = least * len(rates) + (arguments.most_seeds - least) * len(state.racing)
    print(f"still racing: {', '.join(state.racing)}; at most {runs} of {arguments.most_seeds * len(rates)} runs")


if __name__ == "__main__":
    main()
