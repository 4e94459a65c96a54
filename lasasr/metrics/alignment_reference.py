"""Times of words and phones, derived from moments of tokens, and their distance to a reference.

Frame t covers the time from t to t + 1 frame durations, counted from where frame 0 begins. A frame duration is that of
an encoded frame: frame shift times subsampling factor. docs/alignment.md has the formulas.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lasasr.metrics.alignment import aligning_head
from lasasr.metrics.error_rates import align

Array = NDArray[np.float64]

WORD_MARK = "▁"  # printed before a word's first piece, or alone as the character between two words
WITHIN_MS = (20, 50, 100)
NEAR = 2  # tokens of CTC to either side, within which attention is used
REACH = 1.5  # mean distances between tokens: no token extends further from its moment


class TimedLabel(NamedTuple):
    """A word, phone or token with its start and end."""

    label: str
    start_s: float
    end_s: float


class Boundaries(NamedTuple):
    """Differences between boundaries of two readings of one utterance."""

    errors_ms: Array  # (2·matched,): hypothesis − reference, start then end of each matched label; < 0 is early
    matched: int  # labels both sides agree on
    reference_length: int


def token_times(
    weights: NDArray[np.floating],
    frame_s: float,
    method: Literal["centre", "peak"] = "centre",
    begin_s: float = 0.0,
) -> Array:
    """The moment (U,) in seconds that each step of weights (U, H, T) attends to; NaN for a step without any weight.

    "centre" is the centre of mass Σ_t (t + ½)·α(t) / Σ_t α(t); "peak" the middle of the frame with the largest weight,
    which a second, distant peak cannot move. Of several heads the aligning one is read
    (`alignment.aligning_head`).

    Args:
        frame_s: duration of a frame.
        begin_s: when frame 0 begins.

    Raises:
        ValueError: `method` is neither.
    """
    if method not in ("centre", "peak"):
        raise ValueError(f"method must be centre or peak, got {method!r}")
    if not len(weights):
        return np.zeros(0)
    head: Array = weights[:, aligning_head(weights)].astype(np.float64)
    middles = begin_s + frame_s * (np.arange(head.shape[1]) + 0.5)
    total: Array = head.sum(1)
    moments: Array = middles[head.argmax(1)] if method == "peak" else head @ middles / np.where(total > 0, total, 1.0)
    return np.where(total > 0, moments, np.nan)


def combined_times(attended_s: Array, ctc_s: Array, duration_s: float) -> Array:
    """The moments (U,) of attention and CTC combined.

    CTC's moments are in order, but a peak may be anywhere near its token; attention's are nearer to the middle, but
    may be far off. So CTC gives the range: attention is used where it is between CTC's moments of the second token
    before and the second after, and the mean of the two is taken. The first and last token CTC may emit anywhere in the
    silence around speech, at no cost: for these attention alone is taken. Where attention is out of range, or has no
    weight (NaN), CTC alone is taken.
    """
    if len(attended_s) != len(ctc_s):
        raise ValueError(f"attended_s must be as many as ctc_s ({len(ctc_s)}), got {len(attended_s)}")
    before, after = np.zeros(NEAR), np.full(NEAR, duration_s)
    earliest, latest = np.concatenate([before, ctc_s])[: len(ctc_s)], np.concatenate([ctc_s, after])[NEAR:]
    in_range = (earliest <= attended_s) & (attended_s <= latest)  # False for NaN
    share = np.full(len(ctc_s), 0.5)
    share[:1] = share[-1:] = 1.0
    return np.where(in_range, share * np.nan_to_num(attended_s) + (1.0 - share) * ctc_s, ctc_s)


def token_intervals(tokens: Sequence[str], moments_s: Array, duration_s: float) -> list[TimedLabel]:
    """Tokens with a start and an end: two neighbours meet halfway between their moments.

    Moments that go back are first raised to the latest one before them, missing ones (NaN) put evenly between their
    neighbours. "▁" alone has no duration: its neighbours meet at its moment. No token extends further than `REACH`
    mean distances from its moment; the rest is a pause. The first and last token extend outwards by
    half the way to their neighbour, within 0..`duration_s`; a single one covers everything.

    Args:
        tokens: U printed names.
        moments_s: (U,) as `token_times` gives them.

    Raises:
        ValueError: there are not U moments, or all are missing.
    """
    if len(tokens) != len(moments_s):
        raise ValueError(f"moments_s must be as many as tokens ({len(tokens)}), got {len(moments_s)}")
    if len(tokens) < 2:
        return [TimedLabel(token, 0.0, duration_s) for token in tokens]
    at = np.clip(np.maximum.accumulate(_filled(moments_s)), 0.0, duration_s)
    reach = REACH * (at[-1] - at[0]) / (len(at) - 1)
    mark = np.array([token == WORD_MARK for token in tokens])
    left, right = at[:-1], at[1:]
    meet = np.where(mark[:-1] == mark[1:], (left + right) / 2.0, np.where(mark[1:], right, left))
    outer = at[0] - (at[1] - at[0]) / 2.0, at[-1] + (at[-1] - at[-2]) / 2.0
    starts = np.maximum(np.maximum(np.append(outer[0], meet), at - reach), 0.0)
    ends = np.minimum(np.minimum(np.append(meet, outer[1]), at + reach), duration_s)
    return [TimedLabel(*fields) for fields in zip(tokens, starts.tolist(), ends.tolist(), strict=True)]


def _filled(moments_s: Array) -> Array:
    present = np.flatnonzero(~np.isnan(moments_s))
    if not len(present):
        raise ValueError("moments_s must not be missing altogether")
    filled: Array = np.interp(np.arange(len(moments_s)), present, moments_s[present])
    return filled


def word_times(tokens: Iterable[TimedLabel]) -> list[TimedLabel]:
    """Words and their times from those of characters or pieces.

    "▁" begins a word: alone it is the character between two words and belongs to neither; before a piece it is not part
    of the word's text. What Unicode calls white space (U+00A0, U+3000) separates words, too, as where errors are
    counted; a token that holds some in its middle is taken apart, its time in proportion to the characters.
    """
    words: list[list[TimedLabel]] = [[]]
    for token in tokens:
        if token.label.startswith(WORD_MARK):
            words.append([])
        for part in _between_spaces(token):
            if part.label.isspace():
                words.append([])
            else:
                words[-1].append(part)
    return [
        TimedLabel("".join(token.label for token in word), word[0].start_s, word[-1].end_s) for word in words if word
    ]


def _between_spaces(token: TimedLabel) -> list[TimedLabel]:
    """A token without its word mark, white space and what stands around it apart; nothing of "▁" alone."""
    label = token.label.removeprefix(WORD_MARK)
    parts: list[str] = re.findall(r"\s+|\S+", label)
    if len(parts) == 1:
        return [TimedLabel(label, token.start_s, token.end_s)]
    shares = np.cumsum([0, *map(len, parts)]) / max(len(label), 1)
    edges = (token.start_s + shares * (token.end_s - token.start_s)).tolist()
    return [TimedLabel(*fields) for fields in zip(parts, edges, edges[1:], strict=False)]


def compare_boundaries(reference: Sequence[TimedLabel], hypothesis: Sequence[TimedLabel]) -> Boundaries:
    """Boundary errors of the labels on which both sides agree.

    The labels are matched by the alignment that error rates use; a wrong, missing or additional label has no truth to
    compare with and is left out, which `matched` shows.
    """
    pairs = align(_joined(reference), _joined(hypothesis), "wer")
    left, right = iter(reference), iter(hypothesis)
    errors: list[float] = []
    for pair in pairs:
        reference_label = next(left) if pair.reference is not None else None
        hypothesis_label = next(right) if pair.hypothesis is not None else None
        if reference_label is not None and hypothesis_label is not None and pair.correct:
            errors += [
                1000.0 * (hypothesis_label.start_s - reference_label.start_s),
                1000.0 * (hypothesis_label.end_s - reference_label.end_s),
            ]
    return Boundaries(np.array(errors), len(errors) // 2, len(reference))


def _joined(labels: Sequence[TimedLabel]) -> str:
    """The labels as one text; a label may not hold a space.

    Raises:
        ValueError: one is empty or does.
    """
    for label in labels:
        if len(label.label.split()) != 1 or label.label != label.label.strip():
            raise ValueError(f"a label must be one word or phone, got {label.label!r}")
    return " ".join(label.label for label in labels)


def summarised_boundaries(compared: Iterable[Boundaries]) -> dict[str, float | None]:
    """Boundary errors over a corpus, boundaries pooled over utterances.

    Returns:
        `median_ms` of the absolute error, `bias_ms` (median of the signed one; < 0 is early), the share of boundaries
        `within_20_ms`, `within_50_ms`, `within_100_ms`, `matched` (share of reference labels) and `boundaries` (how
        many). Where nothing matched the errors are None, and where there is no reference `matched` is, too.
    """
    utterances = list(compared)
    errors = np.concatenate([utterance.errors_ms for utterance in utterances]) if utterances else np.zeros(0)
    labels = sum(utterance.reference_length for utterance in utterances)
    distance = np.abs(errors).round(6)  # 0.32 s − 0.3 s is not 20 ms in binary; a nanosecond is below every clock
    shares = {f"within_{limit}_ms": float((distance <= limit).mean()) if len(errors) else None for limit in WITHIN_MS}
    return {
        "median_ms": float(np.median(distance)) if len(errors) else None,
        "bias_ms": float(np.median(errors)) if len(errors) else None,
        **shares,
        "matched": sum(utterance.matched for utterance in utterances) / labels if labels else None,
        "boundaries": len(errors),
    }
