"""What only the page shows: learning curves, error rates of parts of the test set, and the utterances themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from lasasr.comparison.entries import Entry
from lasasr.comparison.flips import disputed, errors_of
from lasasr.comparison.grouping import Group
from lasasr.metrics.error_rates import Pair

PARTS: Final = 5  # of the test set, by duration and by length
SPEAKERS: Final = 12  # shown by name: those with most errors
UTTERANCES: Final = 150  # in the browser, at most a third of them for the pair it opens at ...
CHARACTERS: Final = 1_500_000  # ... as long as they have fewer than that

Line = Mapping[str, Any]


def details(systems: Sequence[Group], baseline: str | None = None) -> dict[str, Any]:
    """Curves, breakdowns and disputed utterances, as plain values.

    Args:
        baseline: the system that the others are set against, if any.
    """
    pair = opening(systems, baseline)
    return {
        "curves": {one.name: curve(one) for one in systems},
        "validated_by": validated_by(systems),
        "breakdowns": breakdowns(systems),
        "pair": [one.name for one in pair],
        **utterances(systems, pair),
    }


def opening(systems: Sequence[Group], baseline: str | None = None) -> list[Group]:
    """The two systems to look at first: the baseline and the best of the others, else the best two; or the only one."""
    ranked = sorted(systems, key=lambda one: float(np.mean([entry.summary["percent"] for entry in one.entries])))
    return sorted(ranked, key=lambda one: one.name != baseline)[:2]


def validated_by(systems: Sequence[Group]) -> list[str]:
    """The searches that validations decoded with, by their names in the configuration; none where it is not known."""
    chosen = [entry.settings.choices.get("search@validation.search") for one in systems for entry in one.entries]
    return [] if None in chosen else sorted({str(one) for one in chosen})


def curve(system: Group) -> list[dict[str, float]]:
    """Dev error rate at each validated step: mean, least and most over the seeds that were validated there."""
    metric = system.entries[0].summary["metric"]
    found: dict[int, list[float]] = {}
    for entry in system.entries:
        for one in entry.card.get("validations") or ():
            if metric in one:
                found.setdefault(int(one["step"]), []).append(float(one[metric]))
    return [
        {"step": step, "mean": float(np.mean(some)), "least": min(some), "most": max(some), "seeds": len(some)}
        for step, some in sorted(found.items())
    ]


def breakdowns(systems: Sequence[Group]) -> list[dict[str, Any]]:
    """Error rates by duration, by reference length and by speaker."""
    first = systems[0].entries[0]
    lengths = {key: _length(pairs) for key, pairs in first.alignments.items()}
    durations = {line["id"]: float(line.get("duration_s") or 0.0) for line in first.lines}
    speakers = {line["id"]: str(line.get("speaker") or "?") for line in first.lines}
    by_duration, duration_parts = _parted(durations, "{:.1f}", " s")
    by_length, length_parts = _parted({key: float(one) for key, one in lengths.items()}, "{:.0f}")
    known, named = _speakers(systems, speakers)
    return [
        _breakdown("duration", systems, lengths, by_duration, duration_parts),
        _breakdown("reference length", systems, lengths, by_length, length_parts),
        _breakdown("speaker", systems, lengths, known, named),
    ]


def _length(pairs: Sequence[Pair]) -> int:
    return sum(pair.reference is not None for pair in pairs)


def _parted(values: Mapping[str, float], form: str, unit: str = "") -> tuple[dict[str, str], list[str]]:
    """Utterance → the part it is in, and the parts in order: about equally many utterances in each."""
    edges = np.unique(np.quantile(list(values.values()), np.linspace(0.0, 1.0, PARTS + 1)))
    if len(edges) == 1:
        edges = np.append(edges, edges[0])
    places = {key: min(len(edges) - 1, int(np.searchsorted(edges, one, side="right"))) for key, one in values.items()}
    names: dict[int, str] = {}
    for place in sorted(set(places.values())):
        inside = [values[key] for key in places if places[key] == place]
        ends = dict.fromkeys(form.format(one) for one in (min(inside), max(inside)))
        names[place] = "–".join(ends) + unit
    return {key: names[place] for key, place in places.items()}, list(dict.fromkeys(names.values()))


def _speakers(systems: Sequence[Group], speakers: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Those with most errors by name, all others as one."""
    errors: dict[str, int] = dict.fromkeys(speakers.values(), 0)
    for entry in (entry for system in systems for entry in system.entries):
        for line in entry.lines:
            errors[speakers[line["id"]]] += errors_of(line)
    named = sorted(errors, key=lambda one: (-errors[one], one))[:SPEAKERS]
    others = f"{len(errors) - len(named)} others"
    known = {key: one if one in named else others for key, one in speakers.items()}
    return known, named + [others] * (len(errors) > len(named))


def _breakdown(
    title: str, systems: Sequence[Group], lengths: Mapping[str, int], part: Mapping[str, str], parts: Sequence[str]
) -> dict[str, Any]:
    """Pooled rates over seeds; None where a part has nothing to recognise."""
    whole = _summed(lengths, part.__getitem__)
    rows = {}
    for system in systems:
        errors: dict[str, int] = {}
        for entry in system.entries:
            for line in entry.lines:
                errors[part[line["id"]]] = errors.get(part[line["id"]], 0) + errors_of(line)
        runs = len(system.entries)
        rows[system.name] = [100.0 * errors.get(one, 0) / (runs * whole[one]) if whole[one] else None for one in parts]
    return {"title": title, "parts": list(parts), "lengths": [whole[one] for one in parts], "rows": rows}


def _summed(lengths: Mapping[str, int], part: Callable[[str], str]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for key, length in lengths.items():
        sums[part(key)] = sums.get(part(key), 0) + length
    return sums


def utterances(systems: Sequence[Group], pair: Sequence[Group]) -> dict[str, Any]:
    """The most disputed ones with what every run made of them, and how many there are.

    First come those on which the first seeds of `pair` differ most: the page opens there.
    """
    firsts = [replace(one, entries=one.entries[:1]) for one in pair]
    chosen = list(dict.fromkeys([*disputed(firsts, UTTERANCES // 3), *disputed(systems, UTTERANCES)]))[:UTTERANCES]
    lines = [{line["id"]: line for line in entry.lines} for system in systems for entry in system.entries]
    entries = [entry for system in systems for entry in system.entries]
    told: list[dict[str, Any]] = []
    size = 0
    for key in chosen:
        one = _utterance(key, lines, entries)
        size += len(one["reference"]) + sum(len(run["hypothesis"]) + len(run["operations"]) for run in one["runs"])
        if size > CHARACTERS:
            break
        told.append(one)
    return {"utterances": told, "disputed": len(disputed(systems, len(lines[0])))}


def _utterance(key: str, lines: Sequence[Mapping[str, Line]], entries: Sequence[Entry]) -> dict[str, Any]:
    first = lines[0][key]
    runs = [
        {
            "hypothesis": of_run[key]["hypothesis"],
            "operations": operations(entry.alignments[key]),
            "errors": errors_of(of_run[key]),
            "flags": of_run[key].get("flags", []),
        }
        for of_run, entry in zip(lines, entries, strict=True)
    ]
    about = {"id": key, "speaker": first.get("speaker") or "?", "duration_s": first.get("duration_s")}
    return {**about, "reference": first["reference"], "runs": runs}


def operations(pairs: Sequence[Pair]) -> str:
    """An alignment as one letter per place: C correct, S substituted, D deleted, I inserted."""
    return "".join(
        "I" if pair.reference is None else "D" if pair.hypothesis is None else "C" if pair.correct else "S"
        for pair in pairs
    )
