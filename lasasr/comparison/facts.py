"""What a system cost and how it behaved, from the cards and summaries of its runs; means are over seeds."""

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
    """Counts are sums over seeds, the rest means; what no run knows is None."""
    counts = {name: sum(one.summary[name] for one in entries) for name in COUNTS}
    return {
        **counts,
        "cer_percent": mean(entries, lambda one: one.summary.get("cer_percent")),
        "parameters": _parameters(entries),
        "steps": mean(entries, lambda one: one.card.get("steps")),
        "train_s": mean(entries, lambda one: one.card.get("train_s")),
        "step_s": mean(entries, _step_s),
        "rtf": mean(entries, lambda one: one.summary.get("rtf")),
        "decode_s": mean(entries, lambda one: one.summary.get("decode_s")),
        "peak_memory_mib": mean(entries, lambda one: one.card.get("peak_memory_mib")),
        "aligned_at_step": {one.seed: one.card.get("aligned_at_step") for one in entries},
        "watched": any("aligned_at_step" in one.card and not one.card.get("alignment_unknown") for one in entries),
        "alignment": _alignment(entries),
        "flags": _flags(entries),
        "runs": [_run(one) for one in entries],
    }


def mean(entries: Sequence[Entry], value: Callable[[Entry], Any]) -> float | None:
    """Over the runs that know it."""
    known = [float(one) for one in map(value, entries) if one is not None]
    return sum(known) / len(known) if known else None


def _parameters(entries: Sequence[Entry]) -> int | None:
    found = entries[0].card.get("parameters", entries[0].summary.get("parameters"))
    return None if found is None else int(found)


def _step_s(entry: Entry) -> float | None:
    """Validations included, as the training time is."""
    steps, train_s = entry.card.get("steps"), entry.card.get("train_s")
    return train_s / steps if steps and train_s is not None else None


def _alignment(entries: Sequence[Entry]) -> dict[str, Any]:
    """Median error of word boundaries in ms by each way to tell them, against what; how sure and even attention is."""
    found: dict[str, Any] = {"against": None, "unit": None}
    for entry in entries:
        edges = (entry.summary.get("alignment") or {}).get("boundaries") or {}
        found |= {name: edges[name] for name in ("against", "unit") if name in edges}
    for kind in ("combined", "attention", "ctc"):
        found[f"{kind}_ms"] = mean(entries, lambda one, kind=kind: _median_ms(one, kind))  # type: ignore[misc]
    for name in ("correlation", "focus", "skipped", "reread"):
        found[name] = mean(entries, lambda one, name=name: (one.summary.get("alignment") or {}).get(name))  # type: ignore[misc]
    return found


def _median_ms(entry: Entry, kind: str) -> float | None:
    edges = (entry.summary.get("alignment") or {}).get("boundaries") or {}
    found: float | None = (edges.get(kind) or {}).get("median_ms")
    return found


def _flags(entries: Sequence[Entry]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for entry in entries:
        for line in entry.lines:
            for flag in line.get("flags", ()):
                counts[flag] = counts.get(flag, 0) + 1
    return dict(sorted(counts.items()))


def _run(entry: Entry) -> dict[str, Any]:
    """Where a number comes from; None where the card does not say it."""
    about = {"name": entry.name, "seed": entry.seed, "percent": entry.summary["percent"]}
    return about | {name: entry.card.get(name) for name in OF_CARD}
