"""How well attention aligns, without a reference to compare with.

α_u(t) is the weight of frame t at step u, each step scaled to sum to 1 (steps of no weight at all are left out);
c_u = Σ_t t·α_u(t) its centre; T frames, U steps of text, and one more step for eos. w = ⌈T/U⌉ is the share of frames
of one token if all were equally long. Several heads: the aligning one is measured (`aligning_head`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ENOUGH = 0.1  # of a token's weight, for a frame to count as attended
_LEAP = 5.0  # tokens of even length, from which a move is a jump


@dataclass(frozen=True)
class Alignment:
    """One utterance, or the mean over utterances; every value but `correlation` lies in [0, 1]."""

    correlation: float  # of c_u with u (Pearson), in [-1, 1]; 0 where c_u does not move: 1 is an even, clean diagonal
    focus: float  # mean over u of max_t α_u(t) (Ren et al. 2019, §3.3)
    entropy: float  # mean over u of −Σ_t α_u(t)·ln α_u(t) / ln T: 0 one frame, 1 uniform
    violations: float  # share of steps u > 1 with c_u < c_{u−1} − 1: they go back by more than a frame
    jumps: float  # share of steps u > 1 with |c_u − c_{u−1}| > 5·T/U
    skipped: float  # share of frames t with Σ_u Σ_{|i−t|≤w} α_u(i) < 0.1: attended at no step, nor their neighbours
    reread: float  # share of frames t with Σ_u [t < max_{i<u} c_i − w]·α_u(t) ≥ 0.1: attended again later
    end: float  # weight of the eos step on the last tenth of the frames (at least one)


def measure(weights: NDArray[np.floating], frames: int | None = None) -> Alignment:
    """Measure one utterance.

    Args:
        weights: (U + 1, H, T) attention weights ≥ 0; the last row is the step that emitted eos.
        frames: real frames; those behind them are padding. By default all T.

    Raises:
        ValueError: another shape, or `frames` outside 1..T.
    """
    real = _real(weights, frames)
    head = _scaled(real[:, aligning_head(real)])
    text = head[:-1][head[:-1].sum(1) > 0]
    centres = text @ np.arange(text.shape[1])
    return Alignment(
        correlation=_correlation(centres),
        focus=_mean(text.max(1)),
        entropy=_entropy(text),
        violations=_mean(np.diff(centres) < -1.0),
        jumps=_mean(np.abs(np.diff(centres)) > _LEAP * text.shape[1] / max(1, len(text))),
        skipped=_skipped(text),
        reread=_reread(text, centres),
        end=float(head[-1, -max(1, text.shape[1] // 10) :].sum()),
    )


def summarised(measured: Sequence[Alignment]) -> dict[str, float]:
    """The mean over utterances of each value, and how many there are.

    Raises:
        ValueError: `measured` is empty.
    """
    if not measured:
        raise ValueError("measured must not be empty")
    means = np.array([list(asdict(alignment).values()) for alignment in measured]).mean(0)
    names = [field.name for field in fields(Alignment)]
    return {**dict(zip(names, means.tolist(), strict=True)), "utterances": len(measured)}


def aligning_head(weights: NDArray[np.floating]) -> int:
    """The head of weights (U, H, T) that reads along: the largest correlation of c_u with u, times its focus."""
    if weights.shape[1] == 1:
        return 0
    heads = [_scaled(weights[:, head]) for head in range(weights.shape[1])]
    return int(np.argmax([_correlation(head @ np.arange(head.shape[1])) * _mean(head.max(1)) for head in heads]))


def _real(weights: NDArray[np.floating], frames: int | None) -> Array:
    if weights.ndim != 3 or 0 in weights.shape:
        raise ValueError(f"weights must be (U + 1, H, T) and not empty, got {weights.shape}")
    longest = weights.shape[2]
    if frames is not None and not 1 <= frames <= longest:
        raise ValueError(f"frames must lie in 1..{longest}, got {frames}")
    real: Array = weights[:, :, :frames].astype(np.float64)
    return real


def _scaled(weights: NDArray[np.floating]) -> Array:
    """Rows of (U, T) that sum to 1; rows of no weight stay 0."""
    real = weights.astype(np.float64)
    total = real.sum(1, keepdims=True)
    scaled: Array = np.divide(real, total, out=np.zeros_like(real), where=total > 0)
    return scaled


def _mean(values: NDArray[np.floating] | NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else 0.0


def _correlation(centres: Array) -> float:
    if len(centres) < 2 or np.ptp(centres) < 1e-6:
        return 0.0
    return float(np.corrcoef(centres, np.arange(len(centres)))[0, 1])


def _entropy(text: Array) -> float:
    if text.shape[1] == 1:
        return 0.0
    logs = np.log(text, out=np.zeros_like(text), where=text > 0)
    return _mean(-(text * logs).sum(1)) / float(np.log(text.shape[1]))


def _skipped(text: Array) -> float:
    steps, frames = text.shape
    if not steps:
        return 1.0
    width = -(-frames // steps)
    running = np.concatenate([[0.0], text.sum(0).cumsum()])
    t = np.arange(frames)
    near = running[np.minimum(t + width + 1, frames)] - running[np.maximum(t - width, 0)]
    return _mean(near < _ENOUGH)


def _reread(text: Array, centres: Array) -> float:
    steps, frames = text.shape
    if steps < 2:
        return 0.0
    left = np.maximum.accumulate(centres)[:-1, None] - -(-frames // steps)  # attention has passed
    again = np.where(np.arange(frames) < left, text[1:], 0.0).sum(0)
    return _mean(again >= _ENOUGH)
