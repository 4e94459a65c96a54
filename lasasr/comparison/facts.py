"""Costs, counts and alignment of a system, from the cards and summaries of its runs; means are over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lasasr.comparison.entries import DecodedRun

COUNTS = ("errors", "substitutions", "deletions", "insertions", "reference_length")
OF_CARD = (
    "commit",
    "command",
    "versions",
    "hardware",
    "precision",
    "threads",
    "data",
    "started_at",
    "averaged",
    "steps",
    "train_s",
    "aligned_at_step",
    "alignment_alarm",
)


def facts(runs: Sequence[DecodedRun]) -> dict[str, Any]:
    """Counts are sums over seeds, the rest means; a value that no run has is None."""
    counts = {name: sum(run.summary[name] for run in runs) for name in COUNTS}
    return {
        **counts,
        "cer_percent": mean(runs, lambda run: run.summary.get("cer_percent")),
        "raw_percent": mean(runs, lambda run: run.summary.get("raw_percent")),
        "parameters": _parameters(runs),
        "steps": mean(runs, lambda run: run.card.steps),
        "train_s": mean(runs, lambda run: run.card.train_s),
        "step_s": mean(runs, _step_s),
        "rtf": mean(runs, lambda run: run.summary.get("rtf")),
        "decode_s": mean(runs, lambda run: run.summary.get("decode_s")),
        "peak_memory_mib": mean(runs, lambda run: run.card.peak_memory_mib),
        "aligned_at_step": {run.seed: run.card.aligned_at_step for run in runs},
        "watched": any(run.card.alignment_watched for run in runs),
        "alignment": _alignment(runs),
        "flags": _flags(runs),
        "runs": [_run(run) for run in runs],
    }


def mean(runs: Sequence[DecodedRun], value: Callable[[DecodedRun], Any]) -> float | None:
    """The mean over the runs that have the value; None where none has it."""
    numbers = [float(number) for number in map(value, runs) if number is not None]
    return sum(numbers) / len(numbers) if numbers else None


def _parameters(runs: Sequence[DecodedRun]) -> int | None:
    """The mean, for runs that were named as one system may differ in it."""
    count = mean(
        runs,
        lambda run: run.summary.get("parameters") if run.card.parameters is None else run.card.parameters,
    )
    return None if count is None else round(count)


def _step_s(run: DecodedRun) -> float | None:
    """Validations included, as the training time is."""
    steps, train_s = run.card.steps, run.card.train_s
    return train_s / steps if steps and train_s is not None else None


def _alignment(runs: Sequence[DecodedRun]) -> dict[str, Any]:
    """Median error of word boundaries in ms by each method, their reference, and the quality of attention."""
    alignment: dict[str, Any] = {"against": None, "unit": None}
    for run in runs:
        edges = (run.summary.get("alignment") or {}).get("boundaries") or {}
        alignment |= {name: edges[name] for name in ("against", "unit") if name in edges}
    for kind in ("combined", "attention", "ctc"):
        alignment[f"{kind}_ms"] = mean(runs, lambda run, kind=kind: _median_ms(run, kind))  # type: ignore[misc]
    for name in ("correlation", "focus", "skipped", "reread"):
        alignment[name] = mean(runs, lambda run, name=name: (run.summary.get("alignment") or {}).get(name))  # type: ignore[misc]
    return alignment


def _median_ms(run: DecodedRun, kind: str) -> float | None:
    edges = (run.summary.get("alignment") or {}).get("boundaries") or {}
    median_ms: float | None = (edges.get(kind) or {}).get("median_ms")
    return median_ms


def _flags(runs: Sequence[DecodedRun]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for run in runs:
        for line in run.lines:
            for flag in line.get("flags", ()):
                counts[flag] = counts.get(flag, 0) + 1
    return dict(sorted(counts.items()))


def _run(run: DecodedRun) -> dict[str, Any]:
    """The provenance of a rate; None for what the card lacks."""
    metadata = {"name": run.name, "seed": run.seed, "percent": run.summary["percent"]}
    return metadata | {name: run.card.plain.get(name) for name in OF_CARD}
