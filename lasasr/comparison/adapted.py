"""What adapting gained and what was forgotten, as plain values: the contents of adapted.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from lasasr.artifacts import provenance
from lasasr.artifacts.search_identity import search_words
from lasasr.comparison.comparable import refuse
from lasasr.comparison.entries import DecodedRun, RunSelection
from lasasr.comparison.grouping import SystemRuns, groups
from lasasr.comparison.settings import names
from lasasr.errors import LasasrError, UsageError
from lasasr.metrics.significance.adaptation import Change, OnBoth, Side, adaptations
from lasasr.metrics.significance.scores import scores
from lasasr.metrics.significance.verdict import Rules

SCHEMA: Final = 1
KIND: Final = "adapted"
SIDES: Final[tuple[Side, ...]] = ("target", "source")


@dataclass(frozen=True)
class DecodedSide:
    """All runs decoded on one test set."""

    label: str  # of the test set, as the user named it
    before: RunSelection
    after: Mapping[str | None, RunSelection]  # name of a method → its runs; None: methods are told apart by themselves


def document(sides: Mapping[Side, DecodedSide], rules: Rules | None = None) -> dict[str, Any]:
    """Answer both questions about every method, and return the contents of adapted.json.

    Raises:
        LasasrError: the runs cannot be compared.
        UsageError: what was before is more than one system, or runs are given twice.
    """
    rules = rules or Rules()
    earlier = {side: _before(sides[side]) for side in SIDES}
    later = {side: _methods(sides[side]) for side in SIDES}
    before = OnBoth(*(earlier[side].system(aligned=False) for side in SIDES))
    methods = [OnBoth(*(later[side][name].system(aligned=False) for side in SIDES)) for name in later["target"]]
    adapted = adaptations(before, methods, rules)
    first = sides["target"].before.runs[0].summary
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "lasasr": provenance.versions()["lasasr"],
        "metric": first["metric"],
        "search": search_words(first.get("search")),
        "rules": {"level": rules.level, "power": rules.power, "questions": 2 * len(adapted)},
        **{side: _test_set(sides[side], getattr(before, side)) for side in SIDES},
        "before": _runs(earlier["target"].runs),
        "methods": [
            {
                "name": method.name,
                "runs": _runs(later["target"][method.name].runs),
                **{side: _change(getattr(method, side), first["metric"], sides[side].label, rules) for side in SIDES},
            }
            for method in adapted
        ],
    }


def _before(side: DecodedSide) -> SystemRuns:
    """What was before; all runs of the test set can be compared."""
    for selection in (side.before, *side.after.values()):
        if selection.missing:
            run = selection.missing[0]
            raise LasasrError(f"{run.name} is {run.status}, so nothing can be said about it: leave it out")
    refuse([*side.before.runs, *(run for selection in side.after.values() for run in selection.runs)])
    return _only("BEFORE", side.before)


def _methods(side: DecodedSide) -> dict[str, SystemRuns]:
    """By the name that was given, or by what differs between those without one."""
    methods: dict[str, SystemRuns] = {}
    for name, selection in side.after.items():
        if name is not None:
            methods[name] = replace(_only(name, selection), name=name)
            continue
        systems, _ = groups(selection)
        for own_name, system in zip(_own_names(systems), systems, strict=True):
            methods[own_name] = replace(system, name=own_name)
    return methods


def _only(name: str, selection: RunSelection) -> SystemRuns:
    systems, _ = groups(selection)
    if len(systems) != 1:
        listed = ", ".join(system.name for system in systems)
        raise UsageError(f"{name} must be one recognizer, perhaps with several seeds, and holds {listed}")
    return systems[0]


def _own_names(methods: Sequence[SystemRuns]) -> list[str]:
    """By what differs between the methods; a single one by `adapt`, or its folder."""
    if len(methods) > 1:
        return names([method.runs[0].settings for method in methods])
    (method,) = methods
    choice = method.runs[0].settings.choices.get("adapt")
    if choice not in (None, "none", "null", "None"):
        return [f"adapt={choice}"]
    return [method.runs[0].name if len(method.runs) == 1 else "after"]


def _runs(runs: Sequence[DecodedRun]) -> list[dict[str, Any]]:
    return [{"name": run.name, "seed": run.seed} for run in runs]


def _test_set(side: DecodedSide, before: Any) -> dict[str, Any]:
    table = scores(before)
    return {
        "split": side.label,
        "utterances": len(table.ids),
        "speakers": len(table.speakers),
        "before": table.percent,
    }


def _change(change: Change, metric: str, split: str, rules: Rules) -> dict[str, Any]:
    answer = change.answer
    interval = None if answer is None else answer.interval
    return {
        "before": change.before,
        "after": change.after,
        "points": change.pair.measurement.points,
        "interval": None
        if interval is None
        else {"low": interval.low, "high": interval.high, "method": interval.method},
        "p": None if answer is None else answer.p,
        "p_holm": change.p,
        "p_holm_alone": change.p_alone,
        "detectable_points": None if answer is None else answer.detectable,
        "about": change.pair.verdict.scope,
        "word": change.word,
        "sentence": sentence(change, metric, split, rules),
    }


def sentence(change: Change, metric: str, split: str, rules: Rules) -> str:
    """The verdict in a sentence."""
    what = f"{metric.upper()} of {split} {change.before:.2f} % → {change.after:.2f} %"
    verdict, answer = change.pair.verdict, change.answer
    if verdict.word == "cannot decide":
        return f"cannot decide: {what}; {verdict.reason}"
    about = "other seeds and speakers" if verdict.scope == "systems" else "these trained models on other speakers"
    if answer is None or answer.detectable is None:
        return f"{change.word}: {what}; both make the same errors on every speaker"
    points = change.pair.measurement.points
    numbers = f"{points:+.2f} points ({answer.interval.low:+.2f} to {answer.interval.high:+.2f}), p = {change.p:.3g}"
    shown = ""
    if verdict.word == "no difference shown":
        if change.p_alone != change.p:
            numbers += f" ({change.p_alone:.3g} for the two questions of this method alone)"
        wanted = "a gain" if change.side == "target" else "a loss"
        shown = f"; {wanted} of {answer.detectable:.2f} points alone would have shown with {rules.power:.0%} power"
    return f"{change.word}: {what}, {numbers}, about {about}{shown}"
