"""Error rates of single files with their intervals, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lasasr.comparison.flips import errors_of
from lasasr.comparison.grouping import SystemRuns
from lasasr.metrics.bootstrap import speaker_interval
from lasasr.metrics.error_rates import Counts, units


def scored_files(systems: Sequence[SystemRuns]) -> list[dict[str, Any]]:
    """For each system the summary of its first run, speakers and a 95 % interval over speakers.

    Where no speakers are known, or one only, the interval is over utterances, as its `method` says.
    """
    return [_scored(system) for system in systems]


def _scored(system: SystemRuns) -> dict[str, Any]:
    run = system.runs[0]
    speakers = [line["speaker"] for line in run.lines]
    counts = [
        Counts(errors_of(line), reference_length=len(units(line["reference"], run.summary["metric"])))
        for line in run.lines
    ]
    bounds = speaker_interval(counts, speakers)
    return {
        "file": system.name,
        **run.summary,
        "speakers": len(set(filter(None, speakers))) or None,
        "ci95": bounds.bounds,
        "ci_method": bounds.method,
    }
