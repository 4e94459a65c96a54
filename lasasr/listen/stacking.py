"""Concatenation of successive frames."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def stack_frames(frames: Tensor, count: int) -> Tensor:
    """(B, T, D) → (B, ⌈T / count⌉, count · D): every `count` successive frames become one.

    The last one is completed with zeros; padding within `frames` must be 0 for the same result in any batch.
    """
    if count == 1:
        return frames
    frames = functional.pad(frames, (0, 0, 0, -frames.shape[1] % count))
    return frames.reshape(frames.shape[0], frames.shape[1] // count, count * frames.shape[2])
