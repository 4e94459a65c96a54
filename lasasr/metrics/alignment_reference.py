"""When words and phones were said, read off attention weights, and how far that is from the truth.

Frame t covers the time from t to t + 1 frame durations. A frame duration is that of an encoded frame: frame shift
times subsampling factor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lasasr.metrics.alignment import aligning_head
from lasasr.metrics.error_rates import align

Array = NDArray[np.float64]

WORD_MARK = "▁"  # printed before a word's first piece, or alone as the character between two words
WITHIN_MS = (20, 50, 100)


class Timed(NamedTuple):
    """A word, phone or token and when it was said."""

    label: str
    start_s: float
    end_s: float


class Boundaries(NamedTuple):
    """Differences between boundaries of two readings of one utterance."""

    errors_ms: Array  # (2·matched,): hypothesis − reference, start then end of each matched label; < 0 is early
    matched: int  # labels both sides agree on
    reference_length: int


def token_times(weights: NDArray[np.floating], frame_s: float, method: Literal["centre", "peak"] = "centre") -> Array:
    """The moment (U,) in seconds that each step of weights (U, H, T) looks at.

    "centre" is the centre of mass Σ_t (t + ½)·α(t) / Σ_t α(t); "peak" the middle of the frame with the largest weight,
    which a second, distant peak cannot pull away. Of several heads the aligning one is read
    (`alignment.aligning_head`).

    Raises:
        ValueError: `method` is neither.
    """
    if method not in ("centre", "peak"):
        raise ValueError(f"method must be centre or peak, got {method!r}")
    if not len(weights):
        return np.zeros(0)
    head: Array = weights[:, aligning_head(weights)].astype(np.float64)
    middles = frame_s * (np.arange(head.shape[1]) + 0.5)
    if method == "peak":
        peaks: Array = middles[head.argmax(1)]
        return peaks
    total: Array = head.sum(1)
    moments: Array = np.divide(head @ middles, total, out=np.zeros_like(total), where=total > 0)
    return moments


def token_intervals(tokens: Sequence[str], moments_s: Array, duration_s: float) -> list[Timed]:
    """Tokens that follow one another without a gap: two neighbours meet halfway between their moments.

    Moments that go back are first raised to the latest one before them. The first and last token reach outwards as far
    as inwards, within 0..`duration_s`; a single one covers everything.

    Args:
        tokens: U printed names.
        moments_s: (U,) as `token_times` gives them.
    """
    if len(tokens) != len(moments_s):
        raise ValueError(f"moments_s must be as many as tokens ({len(tokens)}), got {len(moments_s)}")
    if len(tokens) < 2:
        return [Timed(token, 0.0, duration_s) for token in tokens]
    rising = np.minimum(np.maximum.accumulate(moments_s), duration_s)
    meet = (rising[1:] + rising[:-1]) / 2.0
    first = max(0.0, 2.0 * rising[0] - meet[0])
    last = min(duration_s, 2.0 * rising[-1] - meet[-1])
    edges = [first, *meet.tolist(), last]
    return [Timed(*one) for one in zip(tokens, map(float, edges[:-1]), map(float, edges[1:]), strict=True)]


def word_times(tokens: Iterable[Timed]) -> list[Timed]:
    """Words and their times from those of characters or pieces.

    "▁" begins a word: alone it is the character between two words and belongs to neither; before a piece it is not part
    of the word's text.
    """
    words: list[list[Timed]] = [[]]
    for token in tokens:
        if token.label.startswith(WORD_MARK):
            words.append([])
        if token.label != WORD_MARK:
            words[-1].append(token)
    return [
        Timed("".join(token.label.removeprefix(WORD_MARK) for token in word), word[0].start_s, word[-1].end_s)
        for word in words
        if word
    ]


def compare_boundaries(reference: Sequence[Timed], hypothesis: Sequence[Timed]) -> Boundaries:
    """Boundary errors of the labels on which both sides agree.

    The labels are matched by the alignment that error rates use; a wrong, missing or additional label has no truth to
    compare with and is left out, which `matched` shows.
    """
    pairs = align(_joined(reference), _joined(hypothesis), "wer")
    left, right = iter(reference), iter(hypothesis)
    errors: list[float] = []
    for pair in pairs:
        said = next(left) if pair.reference is not None else None
        heard = next(right) if pair.hypothesis is not None else None
        if said is not None and heard is not None and pair.correct:
            errors += [1000.0 * (heard.start_s - said.start_s), 1000.0 * (heard.end_s - said.end_s)]
    return Boundaries(np.array(errors), len(errors) // 2, len(reference))


def _joined(labels: Sequence[Timed]) -> str:
    """The labels as one text; a label may not hold a space.

    Raises:
        ValueError: one is empty or does.
    """
    for one in labels:
        if len(one.label.split()) != 1 or one.label != one.label.strip():
            raise ValueError(f"a label must be one word or phone, got {one.label!r}")
    return " ".join(one.label for one in labels)


def summarised_boundaries(compared: Iterable[Boundaries]) -> dict[str, float | None]:
    """Boundary errors over a corpus, boundaries pooled over utterances.

    Returns:
        `median_ms` of the absolute error, `bias_ms` (median of the signed one; < 0 is early), the share of boundaries
        `within_20_ms`, `within_50_ms`, `within_100_ms`, `matched` (share of reference labels) and `boundaries` (how
        many). Where nothing matched the errors are None, and where there is no reference `matched` is, too.
    """
    every = list(compared)
    errors = np.concatenate([one.errors_ms for one in every]) if every else np.zeros(0)
    labels = sum(one.reference_length for one in every)
    distance = np.abs(errors)
    shares = {f"within_{limit}_ms": float((distance <= limit).mean()) if len(errors) else None for limit in WITHIN_MS}
    return {
        "median_ms": float(np.median(distance)) if len(errors) else None,
        "bias_ms": float(np.median(errors)) if len(errors) else None,
        **shares,
        "matched": sum(one.matched for one in every) / labels if labels else None,
        "boundaries": len(errors),
    }
