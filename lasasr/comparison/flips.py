"""The utterances on which systems differ most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lasasr.comparison.entries import DecodedRun
from lasasr.comparison.grouping import SystemRuns


class Flip(NamedTuple):
    """An utterance on which two runs make different numbers of errors."""

    id: str
    reference: str
    first: str  # hypothesis
    second: str
    errors: tuple[int, int]  # of the first and of the second


def flips(first: DecodedRun, second: DecodedRun) -> list[Flip]:
    """Every utterance on which the counts of errors differ, sorted by errors of the first − errors of the second."""
    theirs = {line["id"]: line for line in second.lines}
    flipped = []
    for line in first.lines:
        other = theirs[line["id"]]
        errors = errors_of(line), errors_of(other)
        if errors[0] != errors[1]:
            flipped.append(Flip(line["id"], line["reference"], line["hypothesis"], other["hypothesis"], errors))
    return sorted(flipped, key=lambda flip: (flip.errors[0] - flip.errors[1], flip.id))


def errors_of(line: Mapping[str, Any]) -> int:
    """S + D + I."""
    return int(line["substitutions"] + line["deletions"] + line["insertions"])


def disputed(systems: Sequence[SystemRuns], most: int) -> list[str]:
    """Ids of at most so many utterances, those first whose mean errors differ most between any two systems."""
    means: dict[str, list[float]] = {}
    for system in systems:
        for key, errors in _mean_errors(system).items():
            means.setdefault(key, []).append(errors)
    spread = {key: max(values) - min(values) for key, values in means.items()}
    return [key for key in sorted(spread, key=lambda key: (-spread[key], key)) if spread[key] > 0.0][:most]


def _mean_errors(system: SystemRuns) -> dict[str, float]:
    sums: dict[str, float] = {}
    for run in system.runs:
        for line in run.lines:
            sums[line["id"]] = sums.get(line["id"], 0.0) + errors_of(line) / len(system.runs)
    return sums
