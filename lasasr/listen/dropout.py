"""Dropout for sequences."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SequenceDropout(nn.Module):
    """Zero whole features of (B, T, D), the same ones in all frames of an utterance (Gal & Ghahramani 2016, §4).

    The draw is B · D numbers and not B · T · D: drawing for every frame costs a CPU a third of the LSTM's own time.

    Raises:
        ValueError: `probability` is outside [0, 1).
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = checked("dropout", probability)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, T, D) → (B, T, D); scaled by 1 / (1 − probability), identity in evaluation."""
        if not self.training or self.probability == 0.0:
            return frames
        return frames * factors(frames[:, :1], self.probability)


def checked(name: str, probability: float) -> float:
    """`probability`, of leaving out.

    Raises:
        ValueError: it is outside [0, 1); the message has the name of the option.
    """
    if not 0.0 <= probability < 1.0:
        raise ValueError(f"{name} must be in [0, 1), got {probability}")
    return probability


def factors(like: Tensor, probability: float) -> Tensor:
    """0 with `probability`, else 1 / (1 − probability), so that the mean is 1; shape, dtype and device as `like`."""
    keep = 1.0 - probability
    return (torch.bernoulli(torch.full(like.shape, keep, device=like.device)) / keep).to(like.dtype)
