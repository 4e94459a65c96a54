"""A finished comparison as the pilot of another one: the variances that a plan is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from lasasr.errors import LasasrError
from lasasr.metrics.significance.mixed import SeedVariance, VarianceParts, scalar


class Pilot(NamedTuple):
    """What a plan needs to know."""

    parts: VarianceParts  # of a typical pair
    speakers: int
    utterances: int | None  # None: unknown
    hours_per_run: float | None  # None: unknown
    metric: str
    split: str
    pairs: int  # that the parts are the mean of


def pilot(document: Mapping[str, Any]) -> Pilot:
    """The pilot that a comparison.json or card is.

    Raises:
        LasasrError: no pair has two seeds of both systems, there is one speaker, or the comparison has no pair.
    """
    if not document["pairs"]:
        raise LasasrError("the pilot compares no two systems; a plan needs the spread of a difference")
    seed_counts = {system["name"]: len(system["seeds"]) for system in document["systems"]}
    every = [pair_parts(pair, seed_counts) for pair in document["pairs"]]
    known = [(pair, part) for pair, part in zip(document["pairs"], every, strict=True) if part is not None]
    parts = [part for _, part in known]
    if not parts and int(document["speakers"]) < 2:
        raise LasasrError(
            "the pilot has one speaker, so that the spread between speakers is not known; evaluate it on a test set of "
            "more, or give --seed-sd and --speaker-sd of published results"
        )
    if not parts:
        raise LasasrError(
            "the pilot has one seed of some system in every pair, so that the spread between seeds is not known; "
            "train at least 2 seeds of two systems, or give --seed-sd and --speaker-sd of published results"
        )
    times = [system["train_s"] for system in document["systems"] if system.get("train_s")]
    return Pilot(
        parts=_mean(parts, _spread_df([(str(p["first"]), str(p["second"])) for p, _ in known], seed_counts)),
        speakers=int(document["speakers"]),
        utterances=int(document["utterances"]),
        hours_per_run=sum(times) / len(times) / 3600.0 if times else None,
        metric=str(document["metric"]),
        split=str(document["split"]),
        pairs=len(parts),
    )


def pair_parts(pair: Mapping[str, Any], seed_counts: Mapping[str, int]) -> VarianceParts | None:
    """None: a system has one seed, or there is no spread."""
    variance = pair.get("variance")
    if variance is None:
        return _from_intervals(pair, seed_counts)
    seeds = variance["seeds"]
    if seeds is None:
        return None
    spread = SeedVariance(
        scalar(seeds["variance"]),
        scalar(seeds["df"]),
        scalar(seeds["residual"]),
        (float(seeds["runs"][0]), float(seeds["runs"][1])),
    )
    return VarianceParts(scalar(pair["points"]), scalar(variance["speakers"]), scalar(variance["speakers_df"]), spread)


def _from_intervals(pair: Mapping[str, Any], seeds: Mapping[str, int]) -> VarianceParts | None:
    """Of a comparison by an earlier version, which kept no variances: back from its two intervals.

    What speakers × seeds contribute then counts as of speakers alone, so that more seeds seem to help a little less.
    """
    of_systems, of_runs = _variance_of(pair["systems"]), _variance_of(pair["runs"])
    if of_systems is None or of_runs is None:
        return None
    runs = float(seeds[pair["first"]]), float(seeds[pair["second"]])
    excess = scalar(max(0.0, of_systems - of_runs))
    spread = SeedVariance(excess, scalar(sum(runs) - 2.0), scalar(0.0), runs)
    return VarianceParts(scalar(pair["points"]), scalar(of_runs), scalar(pair["runs"]["df"]), spread)


def _variance_of(answer: Mapping[str, Any] | None) -> float | None:
    """V from the half width t_{0.975, df}·√V."""
    if answer is None or answer["interval"]["low"] is None:
        return None
    half = (answer["interval"]["high"] - answer["interval"]["low"]) / 2.0
    return float(half / special.stdtrit(answer["df"], 0.975)) ** 2


def _spread_df(pairs: Sequence[tuple[str, str]], seeds: Mapping[str, int]) -> float:
    """The degrees of freedom with which the mean over pairs tells the spread between seeds, by Satterthwaite's formula.

    Each system of M seeds tells it with M − 1, and weighs as often as it stands in a pair.
    """
    sides = [name for pair in pairs for name in pair]
    weights = {name: sides.count(name) / len(sides) for name in set(sides)}
    return 1.0 / sum(weight**2 / (seeds[name] - 1.0) for name, weight in weights.items())


def _mean(parts: Sequence[VarianceParts], spread_df: float) -> VarianceParts:
    """The mean over pairs of each part: single estimates, above all of the seeds, stray."""
    spreads = [part.seeds for part in parts if part.seeds is not None]
    first, second = (float(np.mean([spread.runs[side] for spread in spreads])) for side in (0, 1))
    spread = SeedVariance(
        scalar(float(np.mean([spread.variance for spread in spreads]))),
        scalar(spread_df),
        scalar(float(np.mean([spread.residual for spread in spreads]))),
        (first, second),
    )
    return VarianceParts(
        scalar(0.0),
        scalar(float(np.mean([part.speakers for part in parts]))),
        scalar(float(np.mean([part.speakers_df for part in parts]))),
        spread,
    )
