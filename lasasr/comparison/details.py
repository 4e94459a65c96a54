"""What only the page shows: learning curves, error rates of parts of the test set, and the utterances themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from lasasr.comparison.entries import DecodedRun
from lasasr.comparison.flips import disputed, errors_of
from lasasr.comparison.grouping import SystemRuns
from lasasr.metrics.error_rates import AlignedPair

PARTS: Final = 5  # of the test set, by duration and by length
SPEAKERS: Final = 12  # shown by name: those with most errors
UTTERANCES: Final = 150  # in the browser, at most a third of them for the pair that the page shows first ...
CHARACTERS: Final = 1_500_000  # ... as long as they have fewer than that

Line = Mapping[str, Any]


def details(systems: Sequence[SystemRuns], baseline: str | None = None) -> dict[str, Any]:
    """Curves, breakdowns and disputed utterances, as plain values.

    Args:
        baseline: the system that the others are compared with, if any.
    """
    pair = opening(systems, baseline)
    return {
        "curves": {system.name: curve(system, watched(systems)) for system in systems},
        "watched": watched(systems),
        "validated_by": validated_by(systems),
        "breakdowns": breakdowns(systems),
        "pair": [system.name for system in pair],
        **utterances(systems, pair),
    }


def opening(systems: Sequence[SystemRuns], baseline: str | None = None) -> list[SystemRuns]:
    """The two systems to show first: the baseline and the best of the others, else the best two; or the only one."""
    ranked = sorted(systems, key=lambda system: float(np.mean([run.summary["percent"] for run in system.runs])))
    return sorted(ranked, key=lambda system: system.name != baseline)[:2]


def validated_by(systems: Sequence[SystemRuns]) -> list[str]:
    """The searches that validations decoded with, by their names in the configuration; none where one is unknown."""
    chosen = [run.settings.choices.get("search@validation.search") for system in systems for run in system.runs]
    return [] if None in chosen else sorted({str(search) for search in chosen})


def watched(systems: Sequence[SystemRuns]) -> str:
    """The dev error rate by which the best checkpoint was chosen; where systems differ in it, that of the results."""
    own = str(systems[0].runs[0].summary["metric"])
    metrics = {
        str(run.settings.values.get("checkpoint.monitor") or own)
        for system in systems
        for run in system.runs
        if run.card.validations
    }
    return metrics.pop() if len(metrics) == 1 else own


def curve(system: SystemRuns, metric: str) -> list[dict[str, float]]:
    """Dev error rate at each validated step: mean, least and most over the seeds that were validated at it."""
    rates_of_step: dict[int, list[float]] = {}
    for run in system.runs:
        for validation in run.card.validations:
            if metric in validation:
                rates_of_step.setdefault(int(validation["step"]), []).append(float(validation[metric]))
    return [
        {"step": step, "mean": float(np.mean(rates)), "least": min(rates), "most": max(rates), "seeds": len(rates)}
        for step, rates in sorted(rates_of_step.items())
    ]


def breakdowns(systems: Sequence[SystemRuns]) -> list[dict[str, Any]]:
    """Error rates by duration, by reference length and by speaker."""
    first = systems[0].runs[0]
    lengths = {key: _length(pairs) for key, pairs in first.alignments.items()}
    durations = {line["id"]: float(line.get("duration_s") or 0.0) for line in first.lines}
    speakers = {line["id"]: str(line.get("speaker") or "?") for line in first.lines}
    by_length, length_parts = parted({key: float(length) for key, length in lengths.items()}, "{:.0f}")
    by_speaker, speaker_parts = _speakers(systems, speakers)
    timed = (
        [_breakdown("duration", systems, lengths, *parted(durations, "{:.1f}", " s"))]
        if any(durations.values())
        else []
    )
    return [
        *timed,
        _breakdown("reference length", systems, lengths, by_length, length_parts),
        _breakdown("speaker", systems, lengths, by_speaker, speaker_parts),
    ]


def _length(pairs: Sequence[AlignedPair]) -> int:
    return sum(pair.reference is not None for pair in pairs)


def parted(values: Mapping[str, float], form: str, unit: str = "") -> tuple[dict[str, str], list[str]]:
    """Utterance → its part, and the parts in order; each part has about equally many utterances."""
    edges = np.unique(np.quantile(list(values.values()), np.linspace(0.0, 1.0, PARTS + 1)))
    if len(edges) == 1:
        edges = np.append(edges, edges[0])
    indices = {
        key: min(len(edges) - 1, int(np.searchsorted(edges, value, side="right"))) for key, value in values.items()
    }
    names: dict[int, str] = {}
    for index in sorted(set(indices.values())):
        inside = [values[key] for key in indices if indices[key] == index]
        ends = dict.fromkeys(form.format(value) for value in (min(inside), max(inside)))
        names[index] = "–".join(ends) + unit
    return {key: names[index] for key, index in indices.items()}, list(dict.fromkeys(names.values()))


def _speakers(systems: Sequence[SystemRuns], speakers: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Utterance → its speaker, and the speakers with most errors by name; all others are one part."""
    errors: dict[str, int] = dict.fromkeys(speakers.values(), 0)
    for run in (run for system in systems for run in system.runs):
        for line in run.lines:
            errors[speakers[line["id"]]] += errors_of(line)
    named = sorted(errors, key=lambda speaker: (-errors[speaker], speaker))[:SPEAKERS]
    others = f"{len(errors) - len(named)} others"
    part_of = {key: speaker if speaker in named else others for key, speaker in speakers.items()}
    return part_of, named + [others] * (len(errors) > len(named))


def _breakdown(
    title: str, systems: Sequence[SystemRuns], lengths: Mapping[str, int], part: Mapping[str, str], parts: Sequence[str]
) -> dict[str, Any]:
    """Pooled rates over seeds; None where a part has nothing to recognise."""
    totals = _summed(lengths, part.__getitem__)
    rows = {}
    for system in systems:
        errors: dict[str, int] = {}
        for run in system.runs:
            for line in run.lines:
                errors[part[line["id"]]] = errors.get(part[line["id"]], 0) + errors_of(line)
        seeds = len(system.runs)
        rows[system.name] = [
            100.0 * errors.get(name, 0) / (seeds * totals[name]) if totals[name] else None for name in parts
        ]
    return {"title": title, "parts": list(parts), "lengths": [totals[name] for name in parts], "rows": rows}


def _summed(lengths: Mapping[str, int], part: Callable[[str], str]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for key, length in lengths.items():
        sums[part(key)] = sums.get(part(key), 0) + length
    return sums


def utterances(systems: Sequence[SystemRuns], pair: Sequence[SystemRuns]) -> dict[str, Any]:
    """The utterances on which systems differ most, with the hypothesis of every run, and the number of such utterances.

    First come those on which the first seeds of `pair` differ most: the page shows these two at first.
    """
    firsts = [replace(system, runs=system.runs[:1]) for system in pair]
    chosen = list(dict.fromkeys([*disputed(firsts, UTTERANCES // 3), *disputed(systems, UTTERANCES)]))[:UTTERANCES]
    lines = [{line["id"]: line for line in run.lines} for system in systems for run in system.runs]
    runs = [run for system in systems for run in system.runs]
    shown: list[dict[str, Any]] = []
    size = 0
    for key in chosen:
        utterance = _utterance(key, lines, runs)
        size += len(utterance["reference"]) + sum(
            len(answer["hypothesis"]) + len(answer["operations"]) for answer in utterance["runs"]
        )
        if size > CHARACTERS:
            break
        shown.append(utterance)
    return {"utterances": shown, "disputed": len(disputed(systems, len(lines[0])))}


def _utterance(key: str, lines: Sequence[Mapping[str, Line]], runs: Sequence[DecodedRun]) -> dict[str, Any]:
    first = lines[0][key]
    answers = [
        {
            "hypothesis": run_lines[key]["hypothesis"],
            "operations": operations(run.alignments[key]),
            "errors": errors_of(run_lines[key]),
            "flags": run_lines[key].get("flags", []),
        }
        for run_lines, run in zip(lines, runs, strict=True)
    ]
    metadata = {"id": key, "speaker": first.get("speaker") or "?", "duration_s": first.get("duration_s")}
    return {**metadata, "reference": first["reference"], "runs": answers}


def operations(pairs: Sequence[AlignedPair]) -> str:
    """An alignment as one letter per pair: C correct, S substituted, D deleted, I inserted."""
    return "".join(
        "I" if pair.reference is None else "D" if pair.hypothesis is None else "C" if pair.correct else "S"
        for pair in pairs
    )
