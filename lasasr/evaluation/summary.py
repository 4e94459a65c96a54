"""The summary of a decoded split: results/<split>.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lasasr.evaluation.calibration import of_outcomes
from lasasr.evaluation.outcome import Outcome, as_timed
from lasasr.metrics.alignment import measure, summarised
from lasasr.metrics.alignment_reference import compare_boundaries, summarised_boundaries
from lasasr.metrics.bootstrap import speaker_interval
from lasasr.metrics.confidence import measured
from lasasr.metrics.error_rates import Metric, pooled
from lasasr.metrics.triage import TriagedUtterance, triage
from lasasr.search.hypothesis import KINDS


def summary(split: str, done: Sequence[Outcome], decode_s: float, about: Mapping[str, Any]) -> dict[str, Any]:
    """results/<split>.json of docs: pooled counts, interval, cost; `about` adds seed, recipe, search, ..."""
    total, characters = pooled(outcome.counts for outcome in done), pooled(outcome.characters for outcome in done)
    speakers = [outcome.speaker for outcome in done]
    spread = speaker_interval([outcome.counts for outcome in done], speakers)
    audio_s = sum(outcome.duration_s for outcome in done)
    return {
        "split": split,
        "percent": total.percent,
        "ci95": spread.bounds,
        "ci_method": spread.method,
        "errors": total.errors,
        "substitutions": total.substitutions,
        "deletions": total.deletions,
        "insertions": total.insertions,
        "reference_length": total.reference_length,
        "utterances": len(done),
        "speakers": len(set(speakers)) if all(speakers) else None,
        "cer_percent": characters.percent,
        "audio_s": round(audio_s, 3),
        "decode_s": round(decode_s, 3),
        "rtf": round(decode_s / audio_s, 6) if audio_s else None,
        "alignment": _aligned(done, "phone" if about.get("metric") == "per" else "word"),
        "triage": _triaged(done, about.get("metric", "wer")),
        **_confidence(done, about.get("metric", "wer")),
        **about,
    }


def _confidence(done: Sequence[Outcome], metric: Metric) -> dict[str, Any]:
    """How far the confidence of words can be believed; nothing where there is none."""
    confidences, right = of_outcomes(done, metric)
    return {"confidence": measured(confidences, right)} if confidences else {}


def alignment(done: Sequence[Outcome]) -> dict[str, float] | None:
    """How well the attention of the best hypotheses aligns, the mean over utterances; None without attention."""
    measurements = [
        measure(one.best.weights.float().cpu().numpy())
        for one in done
        if one.best.weights is not None and one.best.tokens
    ]
    return summarised(measurements) if measurements else None


def boundaries(done: Sequence[Outcome], unit: str) -> dict[str, Any] | None:
    """How far the times of correct words (`unit`: or phones) are from the truth; None where there is none.

    Against CTC only attention is measured: the other kinds would be compared with themselves.
    """
    timed = [one for one in done if one.spoken]
    if not timed:
        return None
    against = timed[0].spoken_by
    kinds = KINDS if against == "corpus" else KINDS[1:2]
    by_kind: dict[str, Any] = {
        kind: summarised_boundaries(
            compare_boundaries(one.spoken, as_timed(one.best.timed.get(kind, ()))) for one in timed
        )
        for kind in kinds
        if any(kind in one.best.timed for one in timed)
    }
    counts = {"utterances": len(timed), "labels": sum(len(one.spoken) for one in timed)}
    return {"against": against, "unit": unit, **counts, **by_kind}


def _triaged(done: Sequence[Outcome], metric: Metric) -> dict[str, Any]:
    rows = [
        TriagedUtterance(
            outcome.speaker, outcome.duration_s, outcome.reference, outcome.best.text, outcome.counts, outcome.flags
        )
        for outcome in done
    ]
    judged = sum(outcome.reference_score is not None for outcome in done)
    return {"references_scored": judged, **triage(rows, metric)}


def _aligned(done: Sequence[Outcome], unit: str) -> dict[str, Any] | None:
    means, edges = alignment(done), boundaries(done, unit)
    return None if means is None and edges is None else {**(means or {}), "boundaries": edges}
