"""comparison.json: everything that a comparison found, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from lasasr.artifacts import provenance
from lasasr.artifacts.search_identity import search_words
from lasasr.comparison.budget import budgets
from lasasr.comparison.column import Column
from lasasr.comparison.entries import Found, Missing
from lasasr.comparison.facts import facts
from lasasr.comparison.grouping import Group
from lasasr.comparison.pairs import scope
from lasasr.comparison.sentence import sentences
from lasasr.comparison.settings import differing
from lasasr.metrics.bootstrap import Interval
from lasasr.metrics.significance.comparison import Pair, compare
from lasasr.metrics.significance.detectable import Needed
from lasasr.metrics.significance.pair import Answer
from lasasr.metrics.significance.scores import DIVERGED
from lasasr.metrics.significance.summary import Summary
from lasasr.metrics.significance.verdict import Rules

SCHEMA: Final = 1
KIND: Final = "comparison"


def document(
    found: Found,
    systems: Sequence[Group],
    notes: Sequence[str],
    baseline: str | None,
    rules: Rules,
    columns: Sequence[Column] = (),
) -> dict[str, Any]:
    """Compare, and write down all of it.

    Args:
        columns: of the user's own.

    Raises:
        LasasrError, UsageError: as `metrics.significance.comparison.compare`.
    """
    compared = compare([one.system() for one in systems], baseline, rules)
    first = found.entries[0]
    keys = differing([one.entries[0].settings.normal for one in systems])
    pairs = [_pair(one) for one in compared.pairs]
    made: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": KIND,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": provenance.command(),
        "split": found.split,
        **{name: first.summary.get(name) for name in ("metric", "normalizer", "protocol", "utterances", "audio_s")},
        "corpora": sorted({str(one.summary.get("corpus")) for one in found.entries}),
        "search": first.summary.get("search"),
        "speakers": len({line.get("speaker") or line["id"] for line in first.lines}),
        "reference_length": first.summary["reference_length"],
        "rules": {**asdict(rules), "diverged": DIVERGED},
        "baseline": baseline,
        "notes": list(notes),
        "settings": keys,
        "columns": [one.declaration() for one in columns],
        "systems": [_system(one, told, keys, columns) for one, told in zip(systems, compared.summaries, strict=True)],
        "pairs": pairs,
        "about": scope(pairs),
        "missing": [_missing(one, systems) for one in found.missing],
    }
    made["budgets"] = budgets(made["systems"])
    made["verdict"] = sentences(made)
    return made


def _system(group: Group, told: Summary, keys: Sequence[str], columns: Sequence[Column]) -> dict[str, Any]:
    """A summary beside what the system cost."""
    values = group.entries[0].settings.values
    return {
        "name": group.name,
        "attend": group.entries[0].settings.choices.get("attend", group.entries[0].summary.get("attend")),
        "seeds": list(told.percents),
        "percent": told.percent,
        "percents": told.percents,
        "seed_sd": told.seed_sd,
        "intervals": {name: _interval(getattr(told, name)) for name in ("utterances", "speakers", "mixed")},
        "diverged": list(told.diverged),
        "lost": list(told.lost),
        "percent_converged": told.percent_converged,
        **facts(group.entries),
        "own": {one.key: one.cell(group.name, group.entries) for one in columns},
        "search_words": search_words(group.entries[0].summary.get("search")),
        "settings": {key: values[key] for key in keys if key in values},
    }


def _pair(pair: Pair) -> dict[str, Any]:
    found = pair.measured
    return {
        "first": pair.first,
        "second": pair.second,
        "points": found.points,
        "relative_percent": found.relative,
        "relative_interval": _interval(found.relative_interval),
        "verdict": pair.systems.word,
        "why": pair.systems.reason,
        "verdict_of_runs": pair.runs.word,
        "why_of_runs": pair.runs.reason,
        "systems": _answer(found.systems, pair.p_systems),
        "runs": _answer(found.runs, pair.p_runs),
        "tests": {
            "bootstrap_utterances": {"p": found.by_utterance.p, "interval": _interval(found.by_utterance.interval)},
            "bootstrap_speakers": {"p": found.by_speaker.p, "interval": _interval(found.by_speaker.interval)},
            "sign_flip": asdict(found.sign_flip),
            "mapsswe": {seed: asdict(one) for seed, one in found.mapsswe.items()},
        },
    }


def _answer(answer: Answer | None, adjusted: float | None) -> dict[str, Any] | None:
    if answer is None:
        return None
    return {
        "interval": _interval(answer.interval),
        "df": answer.df,
        "p": answer.p,
        "p_holm": adjusted,
        "detectable_points": answer.detectable,
        "needed": None if answer.needed is None else _needed(answer.needed),
    }


def _needed(one: Needed) -> dict[str, Any]:
    seeds = None if one.seeds is None else list(one.seeds)
    return {"points": one.points, "utterances": one.utterances, "seeds": seeds}


def _interval(one: Interval) -> dict[str, Any]:
    return {"low": one.low, "high": one.high, "method": one.method}


def _missing(one: Missing, systems: Iterable[Group]) -> dict[str, Any]:
    of = next((group.name for group in systems if one in group.missing), None)
    return {"name": one.name, "system": of, "seed": one.seed or None, "status": one.status, "why": one.why}
