"""Dropout for sequences: of single values, and of whole features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lasasr.nn import tracing


class ByteDropout(nn.Dropout):
    """`nn.Dropout` that keeps a byte per value for the backward pass, where torch on a CPU keeps a number of its dtype.

    Draws, values and gradients are the same to the last bit. A self-attentive layer has a draw for each value of each
    part, so that these numbers are about a sixth of all that it keeps in float32.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Any shape and floating dtype → the same; identity in evaluation."""
        drawn = self.training and 0.0 < self.p < 1.0 and torch.is_grad_enabled() and values.requires_grad
        if not drawn or self.inplace or values.device.type != "cpu" or tracing.active():  # on a GPU torch keeps bytes
            return super().forward(values)
        dropped: Tensor = _ByteDropout.apply(values, self.p)
        return dropped


class _ByteDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, probability: float) -> Tensor:
        factors = torch.empty_like(values).bernoulli_(1.0 - probability)  # drawn as torch draws
        ctx.save_for_backward(factors.to(torch.int8))
        ctx.scale = torch.ones((), dtype=values.dtype).div_(1.0 - probability).item()  # rounded as torch rounds it
        return factors.mul_(ctx.scale).mul_(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return kept.to(gradient.dtype).mul_(ctx.scale).mul_(gradient), None


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
