"""Error rates by the values of columns (gender, age, ...), with the clusters and the test of the whole comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lasasr.comparison.details import parted
from lasasr.comparison.grouping import SystemRuns
from lasasr.errors import LasasrError, UsageError, nearest
from lasasr.metrics.significance.comparison import SystemPair, compare
from lasasr.metrics.significance.permutation import holm
from lasasr.metrics.significance.scores import Run, System
from lasasr.metrics.significance.summary import Summary, summarise
from lasasr.metrics.significance.verdict import Rules, Scope, make_verdict, too_little

UNKNOWN: Final = "unknown"
MOST_VALUES: Final = 8  # of a column of numbers, above which they are put into five parts of equal size

Values = dict[str, str]  # utterance id → value


def joined(names: Sequence[str], columns: Mapping[str, Values], systems: Sequence[SystemRuns]) -> dict[str, Values]:
    """The columns of the names by utterance; a table by speaker, if its ids are those of speakers.

    Raises:
        UsageError: there is no such column.
        LasasrError: its ids are of neither utterances nor speakers.
    """
    by_utterance: dict[str, Values] = {}
    lines = systems[0].runs[0].lines
    for name in names:
        if name not in columns:
            raise UsageError(f"--by {name}: there is no such column; {nearest(name, columns, most=20)}")
        values = columns[name]
        known = {
            line["id"]: values[key] for line in lines for key in (line.get("speaker"), line["id"]) if key in values
        }
        if not known:
            raise LasasrError(f"--by {name}: the ids of that table are neither utterances nor speakers of the test set")
        by_utterance[name] = {line["id"]: known.get(line["id"], "").strip() or UNKNOWN for line in lines}
    return by_utterance


def by_columns(
    columns: Mapping[str, Values], systems: Sequence[SystemRuns], centre: str, rules: Rules
) -> list[dict[str, Any]]:
    """For each column its parts, and of each part the rates, intervals and verdicts against `centre`.

    p is adjusted for all systems and parts of a column at once, so that looking at many finds no more by chance.
    """
    scored = [system.system(aligned=False) for system in systems]
    return [_by_column(name, values, scored, centre, rules) for name, values in columns.items()]


def _by_column(name: str, values: Values, systems: Sequence[System], centre: str, rules: Rules) -> dict[str, Any]:
    part_of, parts = _parts(values)
    spoken = {key for key, utterance in systems[0].runs[0].utterances.items() if utterance.reference_length}
    kept = [part for part in parts if any(part_of[key] == part for key in spoken)]
    limited = [[_limited(system, part, part_of) for system in systems] for part in kept]
    pairs = [compare(part, centre, rules).pairs if len(part) > 1 else () for part in limited]
    verdicts = iter(_verdicts([pair for of_part in pairs for pair in of_part], limited, rules))
    return {
        "column": name,
        "parts": [
            _part(part, of_part, {pair.first: next(verdicts) for pair in part_pairs}, rules)
            for part, of_part, part_pairs in zip(kept, limited, pairs, strict=True)
        ],
    }


def _verdicts(
    pairs: Sequence[SystemPair], limited: Sequence[Sequence[System]], rules: Rules
) -> Iterator[dict[str, Any]]:
    """Of each pair, after Holm's adjustment for all of them."""
    tests = [(pair.measurement.systems, pair.measurement.runs) for pair in pairs]
    p_systems = holm([None if of_systems is None else of_systems.p for of_systems, _ in tests])
    p_runs = holm([None if of_runs is None else of_runs.p for _, of_runs in tests])
    seeds = {system.name: len(system.runs) for system in limited[0]}
    speakers = [_speakers(part[0]) for part in limited for _ in part[1:]]
    for pair, count, p, q in zip(pairs, speakers, p_systems, p_runs, strict=True):
        points = pair.measurement.points
        both = seeds[pair.first], seeds[pair.second]
        scopes: tuple[tuple[Scope, float | None], ...] = (("systems", p), ("runs", q))
        words = [
            make_verdict(scope, too_little(scope, count, both, rules), points, adjusted, "", rules).word
            for scope, adjusted in scopes
        ]
        yield {"points": points, **dict(zip(("verdict", "verdict_of_runs"), words, strict=True))}


def _speakers(system: System) -> int:
    """Those who have reference units."""
    return len({utterance.speaker for utterance in system.runs[0].utterances.values() if utterance.reference_length})


def _parts(values: Values) -> tuple[dict[str, str], list[str]]:
    """Utterance → its part, and the parts in order."""
    known = {key: value for key, value in values.items() if value != UNKNOWN}
    numbers = {key: number for key, value in known.items() if (number := _number(value)) is not None}
    if len(numbers) == len(known) and len(set(numbers.values())) > MOST_VALUES:
        part_of, parts = parted(numbers, "{:g}")
    else:
        part_of, parts = known, sorted(set(known.values()), key=_order)
    unknown = {key: UNKNOWN for key in values if key not in known}
    return {**part_of, **unknown}, [*parts, *([UNKNOWN] if unknown else [])]


def _order(value: str) -> tuple[bool, float, str]:
    """Numbers by size, then words."""
    number = _number(value)
    return number is None, number or 0.0, value


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _part(
    part: str, systems: Sequence[System], against: Mapping[str, Mapping[str, Any]], rules: Rules
) -> dict[str, Any]:
    utterances = systems[0].runs[0].utterances.values()
    return {
        "part": part,
        "utterances": len(utterances),
        "speakers": _speakers(systems[0]),
        "reference_length": sum(utterance.reference_length for utterance in utterances),
        "systems": {system.name: _rate(summarise(system, rules)) for system in systems},
        "against": dict(against),
    }


def _limited(system: System, part: str, part_of: Mapping[str, str]) -> System:
    runs = (
        Run(
            run.name,
            {key: utterance for key, utterance in run.utterances.items() if part_of[key] == part},
            run.broken,
            run.falling,
        )
        for run in system.runs
    )
    return System(system.name, tuple(runs), system.lost)


def _rate(summary: Summary) -> dict[str, Any]:
    return {"percent": summary.percent, "mixed": summary.mixed.bounds, "speakers": summary.speakers.bounds}
