"""Two systems on the same utterances. Every difference is first − second: negative, and the first is better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lasasr.metrics.bootstrap import Interval
from lasasr.metrics.significance.bootstrap import PairedBootstrap, paired_bootstrap
from lasasr.metrics.significance.detectable import Needed, detectable, needed
from lasasr.metrics.significance.mapsswe import Mapsswe, mapsswe
from lasasr.metrics.significance.mixed import Parts, Uncertainty, about_runs, about_systems, half_width, p_value, parts
from lasasr.metrics.significance.permutation import SignFlip, sign_flip
from lasasr.metrics.significance.scores import Run, Scores, System
from lasasr.metrics.significance.verdict import About, Rules


@dataclass(frozen=True)
class Answer:
    """What the test of the verdict finds, about the systems or about these runs of them."""

    about: About
    interval: Interval  # of the difference, points
    df: float  # degrees of freedom
    p: float | None  # two-sided; None: a difference without any spread
    detectable: float | None  # smallest true difference found with the power of the rules, points; None as above
    needed: Needed | None  # for the wanted or observed difference; None where there is none


@dataclass(frozen=True)
class Measured:
    """All that is measured on one pair."""

    points: float  # difference of the rates, mean over seeds
    relative: float | None  # 100 · (first/second − 1); None if the second makes no error
    relative_interval: Interval
    systems: Answer | None  # None: a system has one seed, or there is one speaker
    runs: Answer | None  # None: there is one speaker
    by_utterance: PairedBootstrap
    by_speaker: PairedBootstrap
    sign_flip: SignFlip
    mapsswe: dict[str, Mapsswe]  # of each seed both have, else of seeds in order; empty without alignments


def measure(first: System, second: System, left: Scores, right: Scores, rules: Rules) -> Measured:
    """Measure one pair; `left` and `right` are the scores of `first` and `second` on the same test set."""
    whole = len(left.errors) * len(right.errors)
    # times the number of runs, so that means over seeds stay integers and ties exact
    by_utterance = len(right.errors) * left.errors.sum(0) - len(left.errors) * right.errors.sum(0)
    by_speaker = len(right.errors) * left.speaker_errors.sum(0) - len(left.errors) * right.speaker_errors.sum(0)
    found = _parts(left, right, (1.0, -1.0))
    relative, relative_interval = _relative(left, right, rules)
    return Measured(
        points=left.percent - right.percent,
        relative=relative,
        relative_interval=relative_interval,
        systems=None if found is None or found.seeds is None else _answer("systems", found, left, right, rules),
        runs=None if found is None else _answer("runs", found, left, right, rules),
        by_utterance=_bootstrap(by_utterance, whole * left.lengths, "utterances", rules),
        by_speaker=_bootstrap(by_speaker, whole * left.speaker_lengths, "speakers", rules),
        sign_flip=sign_flip(by_speaker, seed=rules.seed),
        mapsswe=_mapsswe(first, second),
    )


def _parts(left: Scores, right: Scores, factors: tuple[float, float]) -> Parts | None:
    if len(left.speakers) < 2:
        return None
    return parts([left.speaker_errors, right.speaker_errors], left.speaker_lengths, factors)


def _answer(about: About, found: Parts, left: Scores, right: Scores, rules: Rules) -> Answer:
    of = about_runs(found) if about == "runs" else about_systems(found)
    if about == "runs":
        found = found._replace(seeds=None)
    over = "speakers and seeds" if about == "systems" else "speakers"
    p, variance = float(p_value(found.estimate, of)), float(of.variance)
    points = rules.wanted_points or abs(float(found.estimate))
    runs = len(left.errors), len(right.errors)
    return Answer(
        about=about,
        interval=_interval(float(found.estimate), of, over, rules),
        df=float(of.df),
        p=None if p != p else p,
        detectable=float(detectable(of, rules.level, rules.power)) if variance else None,
        needed=needed(found, points, len(left.ids), runs, rules.level, rules.power) if points and variance else None,
    )


def _interval(estimate: float, of: Uncertainty, over: str, rules: Rules) -> Interval:
    if not of.variance:
        return Interval(None, None, "none: the difference has no spread")
    half = float(half_width(of, 1.0 - rules.level))
    return Interval(estimate - half, estimate + half, f"{1.0 - rules.level:.0%} t interval over {over}")


def _bootstrap(differences: NDArray[np.int64], lengths: NDArray[np.int64], what: str, rules: Rules) -> PairedBootstrap:
    return paired_bootstrap(differences, lengths, 1.0 - rules.level, what, rules.resamples, rules.seed)


def _relative(left: Scores, right: Scores, rules: Rules) -> tuple[float | None, Interval]:
    """100 · (R_1/R_2 − 1) and its interval by the delta method: the variance of 100 · (R_1 − (R_1/R_2)·R_2)/R_2."""
    if not right.percent:
        return None, Interval(None, None, "none: the second makes no error")
    ratio = left.percent / right.percent
    found = _parts(left, right, (100.0 / right.percent, -100.0 * ratio / right.percent))
    if found is None:
        return 100.0 * (ratio - 1.0), Interval(None, None, "none: one speaker shows no spread")
    of, over = (about_runs(found), "speakers") if found.seeds is None else (about_systems(found), "speakers and seeds")
    return 100.0 * (ratio - 1.0), _interval(100.0 * (ratio - 1.0), of, over, rules)


def _mapsswe(first: System, second: System) -> dict[str, Mapsswe]:
    others = {run.name: run for run in second.runs}
    same = [(run.name, run, others[run.name]) for run in first.runs if run.name in others]
    ordered = [(f"{one.name} / {two.name}", one, two) for one, two in zip(first.runs, second.runs, strict=False)]
    return {
        name: mapsswe((one.utterances[key].pairs, two.utterances[key].pairs) for key in one.utterances)
        for name, one, two in same or ordered
        if _aligned(one) and _aligned(two)
    }


def _aligned(run: Run) -> bool:
    return all(one.pairs or not (one.errors or one.reference_length) for one in run.utterances.values())
