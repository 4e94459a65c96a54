"""One system: its error rate with intervals, and the spread of its seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lasasr.metrics.bootstrap import Interval
from lasasr.metrics.significance.bootstrap import rate_interval
from lasasr.metrics.significance.mixed import half_width, system_uncertainty, variance_parts
from lasasr.metrics.significance.scores import Scores, System, diverged, scores, young
from lasasr.metrics.significance.verdict import Rules


@dataclass(frozen=True)
class Summary:
    """One system; rates in percent."""

    name: str
    percent: float  # mean over seeds of the pooled error rate
    percents: dict[str, float]  # of each seed
    seed_sd: float | None  # standard deviation between seeds, points; None with one seed
    utterances: Interval  # bootstrap over utterances, these models
    speakers: Interval  # bootstrap over speakers, these models
    mixed: Interval  # other speakers and other seeds
    diverged: tuple[str, ...]  # seeds, as `significance.scores.DIVERGED` says; they are part of every number above ...
    lost: tuple[str, ...]  # ... but these of them, which have no result
    percent_converged: float | None  # mean over the seeds that have not diverged; None if all have
    young: tuple[str, ...] = ()  # seeds as poor as diverged ones, but still learning when training ended


def summarise(system: System, rules: Rules | None = None, table: Scores | None = None) -> Summary:
    """The error rate of `system`; `table`: its scores, if computed already.

    Raises:
        LasasrError: as `significance.scores.scores`.
    """
    rules = rules or Rules()
    table = table or scores(system)
    gone = diverged(system)
    kept = [rate for name, rate in zip(table.run_names, table.percents, strict=True) if name not in gone]
    return Summary(
        name=system.name,
        percent=table.percent,
        percents=dict(zip(table.run_names, table.percents.tolist(), strict=True)),
        seed_sd=float(table.percents.std(ddof=1)) if len(table.percents) > 1 else None,
        utterances=rate_interval(table, False, 1.0 - rules.level, rules.resamples, rules.seed),
        speakers=rate_interval(table, True, 1.0 - rules.level, rules.resamples, rules.seed),
        mixed=mixed_interval(table, rules),
        diverged=gone,
        lost=system.lost,
        percent_converged=float(np.mean(kept)) if kept else None,
        young=young(system),
    )


def mixed_interval(table: Scores, rules: Rules) -> Interval:
    """The rate's interval for other speakers and other seeds: R ± t_{df}·√V, V and df as in `significance.mixed`."""
    if table.heard_speakers < 2 or len(table.errors) < 2:
        few = "speaker" if table.heard_speakers < 2 else "seed"
        return Interval(None, None, f"none: one {few} shows no spread")
    parts = variance_parts([table.speaker_errors], table.speaker_lengths, (1.0,))
    if not table.errors.any():
        return Interval(None, None, "none: no error shows no spread")
    half = float(half_width(system_uncertainty(parts), 1.0 - rules.level))
    method = f"{1.0 - rules.level:.0%} t interval over {table.heard_speakers} speakers and {len(table.errors)} seeds"
    return Interval(max(0.0, table.percent - half), table.percent + half, method)
