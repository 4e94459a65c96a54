"""Two systems on the same utterances. Every difference is first − second: negative, and the first is better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lasasr.metrics.bootstrap import Interval
from lasasr.metrics.significance.bootstrap import PairedBootstrap, paired_bootstrap
from lasasr.metrics.significance.detectable import RequiredData, detectable, needed
from lasasr.metrics.significance.mapsswe import Mapsswe, mapsswe
from lasasr.metrics.significance.mixed import (
    Uncertainty,
    VarianceParts,
    half_width,
    p_value,
    run_uncertainty,
    system_uncertainty,
    variance_parts,
)
from lasasr.metrics.significance.permutation import SignFlip, sign_flip
from lasasr.metrics.significance.scores import Run, Scores, System
from lasasr.metrics.significance.verdict import Rules, Scope


@dataclass(frozen=True)
class DifferenceTest:
    """The result of the test of the verdict, about the systems or about these runs of them."""

    scope: Scope
    interval: Interval  # of the difference, points
    df: float  # degrees of freedom
    p: float | None  # two-sided; None: a difference without any spread
    detectable: float | None  # smallest true difference found with the power of the rules, points; None as above
    needed: RequiredData | None  # for the wanted or observed difference; None where there is none


@dataclass(frozen=True)
class PairMeasurement:
    """All measurements of one pair."""

    points: float  # difference of the rates, mean over seeds
    relative: float | None  # 100 · (first/second − 1); None if the second makes no error
    relative_interval: Interval
    systems: DifferenceTest | None  # None: a system has one seed, or there is one speaker
    runs: DifferenceTest | None  # None: there is one speaker
    by_utterance: PairedBootstrap
    by_speaker: PairedBootstrap
    sign_flip: SignFlip
    mapsswe: dict[str, Mapsswe]  # of each seed both have, else of seeds in order; empty without alignments
    parts: VarianceParts | None  # of the variance of `points`; None: there is one speaker
    superiority: float | None  # share of pairs of seeds in which the first has the lower rate; None: one seed


def measure(first: System, second: System, left: Scores, right: Scores, rules: Rules) -> PairMeasurement:
    """Measure one pair; `left` and `right` are the scores of `first` and `second` on the same test set."""
    run_pairs = len(left.errors) * len(right.errors)
    # times the number of runs, so that means over seeds stay integers and ties exact
    by_utterance = len(right.errors) * left.errors.sum(0) - len(left.errors) * right.errors.sum(0)
    by_speaker = len(right.errors) * left.speaker_errors.sum(0) - len(left.errors) * right.speaker_errors.sum(0)
    parts = _parts(left, right, (1.0, -1.0))
    relative, relative_interval = _relative(left, right, rules)
    return PairMeasurement(
        points=left.percent - right.percent,
        relative=relative,
        relative_interval=relative_interval,
        systems=None if parts is None or parts.seeds is None else _answer("systems", parts, left, right, rules),
        runs=None if parts is None else _answer("runs", parts, left, right, rules),
        by_utterance=_bootstrap(by_utterance, run_pairs * left.lengths, "utterances", rules),
        by_speaker=_bootstrap(by_speaker, run_pairs * left.speaker_lengths, "speakers", rules),
        sign_flip=sign_flip(by_speaker, seed=rules.seed),
        mapsswe=_mapsswe(first, second),
        parts=parts,
        superiority=superiority(left.percents, right.percents),
    )


def superiority(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """P(a run of the first has a lower rate than one of the second) + half of P(they are equal), over pairs of runs.

    U/(M_1·M_2) of Mann and Whitney; A_12 of Vargha and Delaney 2000 ("A critique and improvement of the CL common
    language effect size statistics", J. Educational and Behavioral Statistics 25). None: a system has one run, so that
    it would only say which is lower.
    """
    if min(len(first), len(second)) < 2:
        return None
    differences = first[:, None] - second[None, :]
    return float((differences < 0.0).mean() + 0.5 * (differences == 0.0).mean())


def _parts(left: Scores, right: Scores, factors: tuple[float, float]) -> VarianceParts | None:
    if left.heard_speakers < 2:
        return None
    return variance_parts([left.speaker_errors, right.speaker_errors], left.speaker_lengths, factors)


def _answer(scope: Scope, parts: VarianceParts, left: Scores, right: Scores, rules: Rules) -> DifferenceTest:
    uncertainty = run_uncertainty(parts) if scope == "runs" else system_uncertainty(parts)
    if scope == "runs":
        parts = parts._replace(seeds=None)
    over = "speakers and seeds" if scope == "systems" else "speakers"
    p, variance = float(p_value(parts.estimate, uncertainty)), float(uncertainty.variance)
    points = rules.wanted_points or abs(float(parts.estimate))
    runs = len(left.errors), len(right.errors)
    return DifferenceTest(
        scope=scope,
        interval=_interval(float(parts.estimate), uncertainty, over, rules),
        df=float(uncertainty.df),
        p=None if p != p else p,
        detectable=float(detectable(uncertainty, rules.level, rules.power)) if variance else None,
        needed=needed(parts, points, len(left.ids), runs, rules.level, rules.power) if points and variance else None,
    )


def _interval(estimate: float, uncertainty: Uncertainty, over: str, rules: Rules) -> Interval:
    if not uncertainty.variance:
        return Interval(None, None, "none: the difference has no spread")
    half = float(half_width(uncertainty, 1.0 - rules.level))
    return Interval(estimate - half, estimate + half, f"{1.0 - rules.level:.0%} t interval over {over}")


def _bootstrap(differences: NDArray[np.int64], lengths: NDArray[np.int64], what: str, rules: Rules) -> PairedBootstrap:
    return paired_bootstrap(differences, lengths, 1.0 - rules.level, what, rules.resamples, rules.seed)


def _relative(left: Scores, right: Scores, rules: Rules) -> tuple[float | None, Interval]:
    """100 · (R_1/R_2 − 1) and its interval by the delta method: the variance of 100 · (R_1 − (R_1/R_2)·R_2)/R_2."""
    if not right.percent:
        return None, Interval(None, None, "none: the second makes no error")
    ratio = left.percent / right.percent
    parts = _parts(left, right, (100.0 / right.percent, -100.0 * ratio / right.percent))
    if parts is None:
        return 100.0 * (ratio - 1.0), Interval(None, None, "none: one speaker shows no spread")
    uncertainty, over = (
        (run_uncertainty(parts), "speakers")
        if parts.seeds is None
        else (system_uncertainty(parts), "speakers and seeds")
    )
    return 100.0 * (ratio - 1.0), _interval(100.0 * (ratio - 1.0), uncertainty, over, rules)


def _mapsswe(first: System, second: System) -> dict[str, Mapsswe]:
    others = {run.name: run for run in second.runs}
    same = [(run.name, run, others[run.name]) for run in first.runs if run.name in others]
    ordered = [
        (f"{first_run.name} / {second_run.name}", first_run, second_run)
        for first_run, second_run in zip(first.runs, second.runs, strict=False)
    ]
    return {
        name: mapsswe((slots, second_run.slots[key]) for key, slots in first_run.slots.items())
        for name, first_run, second_run in same or ordered
        if _aligned(first_run) and _aligned(second_run)
    }


def _aligned(run: Run) -> bool:
    return all(
        utterance.pairs or not (utterance.errors or utterance.reference_length) for utterance in run.utterances.values()
    )
