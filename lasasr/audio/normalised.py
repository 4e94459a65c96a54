"""Features of each utterance brought to mean 0 and standard deviation 1, as models of others were trained with."""

from __future__ import annotations

from torch import Tensor

from lasasr.nn import lengths as length


def normalised(features: Tensor, frames: Tensor, in_root: float = 0.0, beside_root: float = 0.0) -> Tensor:
    """(x − mean) / (√(variance + in_root) + beside_root) of each feature of (B, T, F), 0 on padding.

    Args:
        features: (B, T, F).
        frames: (B,) int64; the variance is that of a sample, divided by one frame less.
        in_root, beside_root: what keeps the divisor above 0.
    """
    real = length.mask(frames, features.shape[1])[..., None]
    count = frames[:, None, None]
    centred = (features - (features * real).sum(1, keepdim=True) / count) * real
    variance = centred.square().sum(1, keepdim=True) / (count - 1).clamp(min=1)
    return centred / ((variance + in_root).sqrt() + beside_root)
