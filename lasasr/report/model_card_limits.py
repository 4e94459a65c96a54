"""What a model card says of where a recognizer fails, as its results have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any, Final

from lasasr.report.comparison_markdown import escaped

FEWEST_WORDS: Final = 20  # of a speaker, for an error rate that says anything
CONFUSIONS: Final = 5


def limits(results: Sequence[Mapping[str, Any]], longest_s: float | None) -> Iterator[str]:
    """A list: what holds of all, then what the results show, split by split."""
    yield "* Measured on the splits above alone; other accents, devices, noise and subjects were not tried."
    if longest_s is not None:
        yield (
            f"* No utterance of training was longer than {longest_s:.1f} s; longer recordings are cut at pauses, "
            "and words at a cut can be lost."
        )
    for summary in results:
        for line in _observed(summary):
            yield f"* {escaped(str(summary['split']))}: {line}."


def _observed(summary: Mapping[str, Any]) -> Iterator[str]:
    triage = summary.get("triage") or {}
    if speakers := [row for row in triage.get("by_speaker", ()) if row["reference_length"] >= FEWEST_WORDS]:
        rates = sorted(row["percent"] for row in speakers)
        yield (
            f"the error rate of single speakers (of at least {FEWEST_WORDS} words) goes from {rates[0]:.1f} to "
            f"{rates[-1]:.1f} %, {median(rates):.1f} % in the median of {len(rates)}"
        )
    if spans := [row for row in triage.get("by_duration", ()) if row["reference_length"]]:
        parts = [f"{row['percent']:.1f} % {_span(row)}" for row in spans]
        yield f"by duration of the utterance: {', '.join(parts)}"
    flags = {name.replace("_", " "): count for name, count in triage.get("flags", {}).items() if count}
    if flags:
        texts = ", ".join(f"{name} {count}" for name, count in flags.items())
        yield f"utterances with a known kind of failure, of {summary['utterances']}: {texts}"
    if confusions := triage.get("substitutions"):
        pairs = [f"{said} as {heard} ({count})" for said, heard, count in confusions[:CONFUSIONS]]
        yield f"most frequent confusions: {escaped(', '.join(pairs))}"
    outside = summary.get("outside_vocabulary") or {}
    if outside.get("symbols"):
        yield f"{outside['symbols']} symbols of the references are not in its vocabulary, so they are always wrong"


def _span(row: Mapping[str, Any]) -> str:
    if row["to_s"] is None:
        return f"from {row['from_s']:g} s"
    return f"from {row['from_s']:g} to {row['to_s']:g} s"
