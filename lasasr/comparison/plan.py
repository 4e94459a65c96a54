"""How many seeds, speakers and hours a difference needs, as plain values and in words."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any, NamedTuple

from lasasr.comparison.pilot import Pilot
from lasasr.metrics.significance.mixed import VarianceParts
from lasasr.metrics.significance.planning import (
    MOST_SEEDS,
    design,
    enough_seeds,
    never_below,
    seed_variance_limit,
)
from lasasr.metrics.significance.verdict import Rules, least_seeds
from lasasr.remaining import about

LISTED = (2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32)  # seeds of each system


class Wanted(NamedTuple):
    """What is to be shown."""

    points: float
    systems: int
    baseline: bool  # each system against one only
    hours_per_run: float | None

    @property
    def pairs(self) -> int:
        """That are compared, all of them at once."""
        return self.systems - 1 if self.baseline else self.systems * (self.systems - 1) // 2


def plan(pilot: Pilot, wanted: Wanted, rules: Rules) -> dict[str, Any]:
    """The contents of plan.json.

    The level is divided by the number of pairs, which Holm's adjustment never falls below.
    """
    level = rules.level / wanted.pairs
    least = least_seeds(rules)
    limit = seed_variance_limit(pilot.parts)
    seeds = enough_seeds(pilot.parts, wanted.points, least, level, rules.power)
    cautious = enough_seeds(limit, wanted.points, least, level, rules.power)
    listed = sorted({*(count for count in LISTED if count >= least), *(n for n in (seeds, cautious) if n is not None)})
    contents = {
        "schema": 1,
        "kind": "plan",
        "points": wanted.points,
        "systems": wanted.systems,
        "pairs": wanted.pairs,
        "level": rules.level,
        "power": rules.power,
        "split": pilot.split,
        "metric": pilot.metric,
        "speakers": pilot.speakers,
        "utterances": pilot.utterances,
        "hours_per_run": wanted.hours_per_run,
        "least_seeds": least,
        "seeds": seeds,
        "seeds_cautious": cautious,
        "never_below": never_below(pilot.parts, level, rules.power),
        "designs": [_design(pilot, limit, count, wanted, level, rules) for count in listed],
    }
    return {**contents, "words": words(contents)}


def _design(
    pilot: Pilot, limit: VarianceParts, seeds: int, wanted: Wanted, level: float, rules: Rules
) -> dict[str, Any]:
    row = design(pilot.parts, seeds, wanted.points, level, rules.power)
    runs = seeds * wanted.systems
    times = row.speakers_times
    return {
        "seeds": seeds,
        "runs": runs,
        "hours": None if wanted.hours_per_run is None else runs * wanted.hours_per_run,
        "detectable": row.detectable,
        "detectable_cautious": design(limit, seeds, wanted.points, level, rules.power).detectable,
        "power": row.power,
        "speakers": None if times is None else max(2, ceil(times * pilot.speakers - 1e-6)),
        "utterances": None
        if times is None or pilot.utterances is None
        else max(2, ceil(times * pilot.utterances - 1e-6)),
    }


def words(contents: dict[str, Any]) -> list[str]:
    """The plan in sentences, the most important first."""
    points, seeds = f"{contents['points']:g} points", contents["seeds"]
    between = "two systems" if contents["systems"] == 2 else f"{contents['systems']} systems"
    size = f"{contents['speakers']:,} speakers"
    if contents["utterances"] is not None:
        size = f"{contents['utterances']:,} utterances of {size}"
    test_set = f"on {contents['split']} ({size})"
    if contents["never_below"] > contents["points"]:
        first = f"No number of seeds shows {points} between {between} {test_set}: its speakers differ too much"
        sentences = [f"{first}; with endlessly many seeds {contents['never_below']:.2f} points would show."]
    elif seeds is None:
        sentences = [f"More than {MOST_SEEDS} seeds of each system are needed to show {points} {test_set}."]
    else:
        sentences = [f"{seeds} seeds of each of {between} show a difference of {points} {test_set}{_cost(contents)}."]
    cautious = contents["seeds_cautious"]
    if seeds is not None and cautious != seeds:
        many = f"more than {MOST_SEEDS}" if cautious is None else str(cautious)
        sentences.append(f"The pilot knows the spread between seeds only roughly; to be on the safe side take {many}.")
    sentences += _larger_test_sets(contents)
    sentences.append(
        f"Shows means: found with {contents['power']:.0%} power at {contents['level']:.0%}, corrected for "
        f"{contents['pairs']} pair{'s' * (contents['pairs'] > 1)}."
    )
    return sentences


def _cost(contents: dict[str, Any]) -> str:
    row = next(row for row in contents["designs"] if row["seeds"] == contents["seeds"])
    takes = "" if row["hours"] is None else f", {about(3600.0 * row['hours'])}"
    return f" ({row['runs']} runs{takes})"


def _larger_test_sets(contents: dict[str, Any]) -> Sequence[str]:
    """What a larger test set would do for the fewest seeds, where these are too few."""
    least: dict[str, Any] = contents["designs"][0]
    if least["detectable"] <= contents["points"]:
        return []
    if least["speakers"] is None:
        return [
            f"With {least['seeds']} seeds of each, no test set of such speakers would show it: seeds differ too much."
        ]
    utterances = "" if least["utterances"] is None else f" ({least['utterances']:,} utterances)"
    return [
        f"With {least['seeds']} seeds of each it takes a test set of {least['speakers']:,} such speakers{utterances}."
    ]
