"""The contents of comparison.json: all results of a comparison as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from lasasr.artifacts import provenance
from lasasr.artifacts.search_identity import search_words
from lasasr.comparison.budget import budgets
from lasasr.comparison.column import Column
from lasasr.comparison.entries import RunSelection
from lasasr.comparison.facts import facts
from lasasr.comparison.grouping import SystemRuns
from lasasr.comparison.pairs import verdict_scope
from lasasr.comparison.sentence import sentences
from lasasr.comparison.settings import differing
from lasasr.comparison.sources import MissingRun
from lasasr.metrics.bootstrap import Interval
from lasasr.metrics.significance.comparison import Repeated, SystemPair, compare
from lasasr.metrics.significance.detectable import RequiredData
from lasasr.metrics.significance.mixed import VarianceParts
from lasasr.metrics.significance.pair import DifferenceTest
from lasasr.metrics.significance.scores import DIVERGED
from lasasr.metrics.significance.summary import Summary
from lasasr.metrics.significance.verdict import Rules

SCHEMA: Final = 1
KIND: Final = "comparison"
MOST_ALIGNED: Final = 60_000  # hypotheses of all runs, up to which MAPSSWE gets their alignments


def document(
    selection: RunSelection,
    systems: Sequence[SystemRuns],
    notes: Sequence[str],
    baseline: str | None,
    rules: Rules,
    columns: Sequence[Column] = (),
    repeated: Repeated | None = None,
) -> dict[str, Any]:
    """Compare the systems, and return the contents of comparison.json.

    Args:
        columns: of the user's own.
        repeated: what a race found, whose runs these are.

    Raises:
        LasasrError, UsageError: as `metrics.significance.comparison.compare`.
    """
    aligned = sum(len(run.lines) for run in selection.runs) <= MOST_ALIGNED
    compared = compare([system.system(aligned) for system in systems], baseline, rules, repeated)
    first = selection.runs[0]
    configured = [system.runs[0].settings.normal for system in systems if system.runs[0].settings.normal]
    keys = differing(configured) if configured else []
    pairs = [_pair(pair) for pair in compared.pairs]
    contents: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": KIND,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": provenance.command(),
        "split": selection.split,
        **{name: first.summary.get(name) for name in ("metric", "normalizer", "protocol", "utterances", "audio_s")},
        "corpora": sorted({str(run.summary["corpus"]) for run in selection.runs if run.summary.get("corpus")}),
        "search": first.summary.get("search"),
        "speakers": len({line.get("speaker") or line["id"] for line in first.lines}),
        "reference_length": first.summary["reference_length"],
        "rules": {**asdict(rules), "diverged": DIVERGED},
        "baseline": baseline,
        "notes": [*notes, *([] if aligned else [f"MAPSSWE is left out above {MOST_ALIGNED:,} hypotheses"])],
        "settings": keys,
        "columns": [column.declaration() for column in columns],
        "systems": [
            _system(system, summary, keys, columns) for system, summary in zip(systems, compared.summaries, strict=True)
        ],
        "pairs": pairs,
        "about": verdict_scope(pairs),
        "missing": [_missing(run, systems) for run in selection.missing],
    }
    contents["budgets"] = budgets(contents["systems"])
    contents["verdict"] = sentences(contents)
    return contents


def _system(group: SystemRuns, summary: Summary, keys: Sequence[str], columns: Sequence[Column]) -> dict[str, Any]:
    """The error rates of a system and its costs."""
    values = group.runs[0].settings.values
    return {
        "name": group.name,
        "attend": group.runs[0].settings.choices.get("attend", group.runs[0].summary.get("attend")),
        "seeds": list(summary.percents),
        "percent": summary.percent,
        "percents": summary.percents,
        "seed_sd": summary.seed_sd,
        "intervals": {name: _interval(getattr(summary, name)) for name in ("utterances", "speakers", "mixed")},
        "diverged": list(summary.diverged),
        "young": list(summary.young),
        "lost": list(summary.lost),
        "percent_converged": summary.percent_converged,
        **facts(group.runs),
        "own": {column.key: column.cell(group.name, group.runs) for column in columns},
        "search_words": search_words(group.runs[0].summary.get("search")),
        "settings": {key: values[key] for key in keys if key in values},
    }


def _pair(pair: SystemPair) -> dict[str, Any]:
    measurement = pair.measurement
    return {
        "first": pair.first,
        "second": pair.second,
        "points": measurement.points,
        "relative_percent": measurement.relative,
        "relative_interval": _interval(measurement.relative_interval),
        "superiority": measurement.superiority,
        "verdict": pair.systems.word,
        "why": pair.systems.reason,
        "verdict_of_runs": pair.runs.word,
        "why_of_runs": pair.runs.reason,
        "systems": _answer(measurement.systems, pair.p_systems),
        "runs": _answer(measurement.runs, pair.p_runs),
        "variance": None if measurement.parts is None else _variance(measurement.parts),
        "tests": {
            "bootstrap_utterances": {
                "p": measurement.by_utterance.p,
                "improved": measurement.by_utterance.improved,
                "interval": _interval(measurement.by_utterance.interval),
            },
            "bootstrap_speakers": {
                "p": measurement.by_speaker.p,
                "improved": measurement.by_speaker.improved,
                "interval": _interval(measurement.by_speaker.interval),
            },
            "sign_flip": asdict(measurement.sign_flip),
            "mapsswe": {seed: asdict(test) for seed, test in measurement.mapsswe.items()},
        },
    }


def _answer(answer: DifferenceTest | None, adjusted: float | None) -> dict[str, Any] | None:
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


def _variance(parts: VarianceParts) -> dict[str, Any]:
    """The parts of the variance of a difference, points², of which plans are made."""
    seeds = parts.seeds
    return {
        "speakers": float(parts.speakers),
        "speakers_df": float(parts.speakers_df),
        "seeds": None
        if seeds is None
        else {
            "variance": float(seeds.variance),
            "residual": float(seeds.residual),
            "df": float(seeds.welch_df),
            "runs": [int(count) for count in seeds.runs],
        },
    }


def _needed(required: RequiredData) -> dict[str, Any]:
    seeds = None if required.seeds is None else list(required.seeds)
    return {"points": required.points, "utterances": required.utterances, "seeds": seeds}


def _interval(interval: Interval) -> dict[str, Any]:
    return {"low": interval.low, "high": interval.high, "method": interval.method}


def _missing(run: MissingRun, systems: Iterable[SystemRuns]) -> dict[str, Any]:
    system_name = next((group.name for group in systems if run in group.missing), None)
    return {"name": run.name, "system": system_name, "seed": run.seed or None, "status": run.status, "why": run.why}
