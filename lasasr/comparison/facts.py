"""Costs, counts and alignment of a system, from the cards and summaries of its runs; means are over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lasasr.comparison.entries import Entry

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


def facts(entries: Sequence[Entry]) -> dict[str, Any]:
    """Counts are sums over seeds, the rest means; a value that no run has is None."""
    counts = {name: sum(entry.summary[name] for entry in entries) for name in COUNTS}
    return {
        **counts,
        "cer_percent": mean(entries, lambda entry: entry.summary.get("cer_percent")),
        "parameters": _parameters(entries),
        "steps": mean(entries, lambda entry: entry.card.get("steps")),
        "train_s": mean(entries, lambda entry: entry.card.get("train_s")),
        "step_s": mean(entries, _step_s),
        "rtf": mean(entries, lambda entry: entry.summary.get("rtf")),
        "decode_s": mean(entries, lambda entry: entry.summary.get("decode_s")),
        "peak_memory_mib": mean(entries, lambda entry: entry.card.get("peak_memory_mib")),
        "aligned_at_step": {entry.seed: entry.card.get("aligned_at_step") for entry in entries},
        "watched": any(
            "aligned_at_step" in entry.card and not entry.card.get("alignment_unknown") for entry in entries
        ),
        "alignment": _alignment(entries),
        "flags": _flags(entries),
        "runs": [_run(entry) for entry in entries],
    }


def mean(entries: Sequence[Entry], value: Callable[[Entry], Any]) -> float | None:
    """The mean over the runs that have the value; None where none has it."""
    numbers = [float(number) for number in map(value, entries) if number is not None]
    return sum(numbers) / len(numbers) if numbers else None


def _parameters(entries: Sequence[Entry]) -> int | None:
    count = entries[0].card.get("parameters", entries[0].summary.get("parameters"))
    return None if count is None else int(count)


def _step_s(entry: Entry) -> float | None:
    """Validations included, as the training time is."""
    steps, train_s = entry.card.get("steps"), entry.card.get("train_s")
    return train_s / steps if steps and train_s is not None else None


def _alignment(entries: Sequence[Entry]) -> dict[str, Any]:
    """Median error of word boundaries in ms by each method, their reference, and the quality of attention."""
    alignment: dict[str, Any] = {"against": None, "unit": None}
    for entry in entries:
        edges = (entry.summary.get("alignment") or {}).get("boundaries") or {}
        alignment |= {name: edges[name] for name in ("against", "unit") if name in edges}
    for kind in ("combined", "attention", "ctc"):
        alignment[f"{kind}_ms"] = mean(entries, lambda entry, kind=kind: _median_ms(entry, kind))  # type: ignore[misc]
    for name in ("correlation", "focus", "skipped", "reread"):
        alignment[name] = mean(entries, lambda entry, name=name: (entry.summary.get("alignment") or {}).get(name))  # type: ignore[misc]
    return alignment


def _median_ms(entry: Entry, kind: str) -> float | None:
    edges = (entry.summary.get("alignment") or {}).get("boundaries") or {}
    median_ms: float | None = (edges.get(kind) or {}).get("median_ms")
    return median_ms


def _flags(entries: Sequence[Entry]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for entry in entries:
        for line in entry.lines:
            for flag in line.get("flags", ()):
                counts[flag] = counts.get(flag, 0) + 1
    return dict(sorted(counts.items()))


def _run(entry: Entry) -> dict[str, Any]:
    """The provenance of a rate; None for what the card lacks."""
    metadata = {"name": entry.name, "seed": entry.seed, "percent": entry.summary["percent"]}
    return metadata | {name: entry.card.get(name) for name in OF_CARD}
