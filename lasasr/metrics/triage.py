"""Kinds of errors in a hypothesis, and the distribution of errors over a split: pure counting, no model.

Flags of one utterance (`flags`, `verdict`) go into results/<split>.jsonl, their counts and the breakdown of the errors
(`triage`) into results/<split>.json.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from lasasr.metrics.error_rates import AlignedPair, Counts, Metric, align, pooled, units

EMPTY, MAX_LENGTH, NEAR_TIE = "empty", "max_length", "near_tie"  # set by the search
LOOP, EARLY, SKIPPED = "loop", "early_eos", "skipped_span"
MODEL, SEARCH = "model_error", "search_error"
FLAGS: Final = (LOOP, EARLY, SKIPPED, MAX_LENGTH, EMPTY, SEARCH, MODEL, NEAR_TIE)

REPEATS: Final = {"wer": 3, "per": 3, "cer": 6}  # of the same units in a row: as often is a loop
LONGEST_LOOP: Final = 32  # units that repeat
MISSING: Final = 3  # deletions in a row that make a span
GAP_S: Final = 1.0  # of frames that no token attended to, between frames that were attended to
ATTENDED: Final = 0.1  # attention summed over tokens, from which on a frame counts as attended to
BUCKETS_S: Final = (0.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0)  # where durations begin; the last has no end
MOST: Final = 20  # of each kind of confusion
TOLERANCE: Final = 1e-4  # log; scores nearer than that are equal


def repeats(sequence: Sequence[str]) -> int:
    """How often some stretch of at most LONGEST_LOOP units follows itself: 1 without repetition, 0 for no unit."""
    most = min(1, len(sequence))
    for size in range(1, min(LONGEST_LOOP, len(sequence) // 2) + 1):
        run = 0  # units that equal the one `size` before
        for now, before in zip(sequence[size:], sequence, strict=False):
            run = run + 1 if now == before else 0
            most = max(most, 1 + run // size)
    return most


def looping(reference: str, hypothesis: str, metric: Metric) -> bool:
    """Whether the hypothesis repeats itself REPEATS times, in units or characters, and more than the reference."""
    kinds: tuple[Metric, ...] = (metric,) if metric == "cer" else (metric, "cer")
    for kind in kinds:
        times = repeats(units(hypothesis, kind))
        if times >= REPEATS[kind] and times > repeats(units(reference, kind)):
            return True
    return False


def longest_gap(coverage: Sequence[float]) -> int:
    """Most frames in a row with less than ATTENDED of `coverage` (attention summed), between frames with more."""
    attended = [t for t, weight in enumerate(coverage) if weight >= ATTENDED]
    return max((after - before - 1 for before, after in pairwise(attended)), default=0)


def flags(
    reference: str, hypothesis: str, metric: Metric, by_search: Iterable[str] = (), gap_s: float | None = None
) -> tuple[str, ...]:
    """What is wrong with a hypothesis, in the order of FLAGS.

    * loop: a stretch of it follows itself, three times (of characters: six), and more often than in the reference.
    * early_eos: the last three units of the reference, or more, are missing.
    * skipped_span: three units in a row are missing elsewhere or, where attention is known, a unit is missing and
      no token attended to a second of audio between frames that were attended to.
    * empty and max_length are set by the search; an empty hypothesis has no other fault.
    * near_tie is no fault: the search found another hypothesis whose score is the same but for TOLERANCE, so that
      rounding, which depends on the batch, decides between them.

    Args:
        by_search: flags that the search has set.
        gap_s: of `longest_gap`, seconds; None where there is no attention.
    """
    raised = {flag for flag in by_search if flag in FLAGS}
    if not hypothesis.split():
        raised = (raised & {NEAR_TIE}) | ({EMPTY} if reference.split() else set())
        return tuple(flag for flag in FLAGS if flag in raised)
    missing = _runs([pair.hypothesis is None for pair in align(reference, hypothesis, metric)])
    (*inside, last) = missing
    if looping(reference, hypothesis, metric):
        raised.add(LOOP)
    if last >= MISSING:
        raised.add(EARLY)
    if max(inside, default=0) >= MISSING or (any(inside) and gap_s is not None and gap_s >= GAP_S):
        raised.add(SKIPPED)
    return tuple(flag for flag in FLAGS if flag in raised)


def _runs(missing: Sequence[bool]) -> list[int]:
    """Lengths of the stretches of True; the last is that at the end, 0 where the end is False."""
    runs = [0]
    for is_missing in missing:
        if is_missing:
            runs[-1] += 1
        elif runs[-1]:
            runs.append(0)
    return runs


def verdict(score: float, reference_score: float | None) -> str | None:
    """Whether search or model caused a wrong hypothesis, by its score; None where the reference was not scored.

    The search, where the reference has a higher score than the hypothesis; else the model, which prefers the latter.
    """
    if reference_score is None:
        return None
    return SEARCH if reference_score > score + TOLERANCE else MODEL


class TriagedUtterance(NamedTuple):
    """The fields of an utterance that a breakdown reads."""

    speaker: str
    duration_s: float
    reference: str
    hypothesis: str
    counts: Counts
    flags: tuple[str, ...]


def triage(utterances: Sequence[TriagedUtterance], metric: Metric) -> dict[str, Any]:
    """The "triage" of results/<split>.json: plain values.

    Returns:
        flags: utterances per flag, all of FLAGS.
        by_duration: error rate of the utterances from `from_s` to `to_s` seconds (None: no end), where there are any.
        by_speaker: the same per speaker, the worst first.
        substitutions, deletions, insertions: the MOST frequent, [reference, hypothesis, count] and [unit, count].
    """
    pairs = Counter(
        pair
        for utterance in utterances
        for pair in align(utterance.reference, utterance.hypothesis, metric)
        if not pair.correct
    )
    return {
        "flags": {flag: sum(flag in utterance.flags for utterance in utterances) for flag in FLAGS},
        "by_duration": _by_duration(utterances),
        "by_speaker": _by_speaker(utterances),
        **_confusions(pairs),
    }


def _by_duration(utterances: Sequence[TriagedUtterance]) -> list[dict[str, Any]]:
    ends = (*BUCKETS_S[1:], math.inf)
    buckets = [
        (start, end, [utterance.counts for utterance in utterances if start <= utterance.duration_s < end])
        for start, end in zip(BUCKETS_S, ends, strict=True)
    ]
    return [
        {"from_s": start, "to_s": None if math.isinf(end) else end, **_rate(counts)}
        for start, end, counts in buckets
        if counts
    ]


def _by_speaker(utterances: Sequence[TriagedUtterance]) -> list[dict[str, Any]]:
    speakers: dict[str, list[Counts]] = {}
    for utterance in utterances:
        speakers.setdefault(utterance.speaker, []).append(utterance.counts)
    rows = [{"speaker": name, **_rate(counts)} for name, counts in speakers.items()]
    return sorted(rows, key=lambda row: (-_number(row["percent"]), row["speaker"]))


def _number(percent: float | None) -> float:
    return -1.0 if percent is None else percent


def _rate(counts: Sequence[Counts]) -> dict[str, Any]:
    total = pooled(counts)
    return {
        "utterances": len(counts),
        "errors": total.errors,
        "reference_length": total.reference_length,
        "percent": total.percent if total.reference_length else None,
    }


def _confusions(pairs: Mapping[AlignedPair, int]) -> dict[str, list[list[Any]]]:
    """The most frequent errors of each kind; of equally frequent ones in the order of the alphabet."""
    kinds: dict[str, list[list[Any]]] = {"substitutions": [], "deletions": [], "insertions": []}
    for (reference, hypothesis), times in pairs.items():
        if reference is None:
            kinds["insertions"].append([hypothesis, times])
        elif hypothesis is None:
            kinds["deletions"].append([reference, times])
        else:
            kinds["substitutions"].append([reference, hypothesis, times])
    return {kind: sorted(rows, key=lambda row: (-row[-1], row[:-1]))[:MOST] for kind, rows in kinds.items()}
