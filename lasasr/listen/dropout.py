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
        if not 0.0 <= probability < 1.0:
            raise ValueError(f"dropout must be in [0, 1), got {probability}")
        self.probability = probability

    def forward(self, frames: Tensor) -> Tensor:
        """(B, T, D) → (B, T, D); scaled by 1 / (1 − probability), identity in evaluation."""
        if not self.training or self.probability == 0.0:
            return frames
        keep = 1.0 - self.probability
        probabilities = torch.full((frames.shape[0], 1, frames.shape[2]), keep, device=frames.device)
        return frames * (torch.bernoulli(probabilities) / keep).to(frames.dtype)
