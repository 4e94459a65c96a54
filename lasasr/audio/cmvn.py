"""Cepstral (here: log-mel) mean and variance normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lasasr.errors import LasasrError
from lasasr.nn import lengths as length

SMALLEST_STD = 1e-3  # of a log energy; a feature that does not vary becomes 0 and not infinite


class UtteranceCMVN(nn.Module):
    """Each utterance by the mean and the standard deviation of its own real frames."""

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Normalise features (B, T, F) of `lengths` (B,); the result is float32 and exactly 0 on padding."""
        real = length.mask(lengths, features.shape[1])[..., None]
        frames = lengths[:, None, None]
        centred = torch.where(real, features.float(), 0.0)
        centred = torch.where(real, centred - centred.sum(1, keepdim=True) / frames, 0.0)
        std = (centred.square().sum(1, keepdim=True) / frames).sqrt()
        return centred / std.clamp(min=SMALLEST_STD)


class Statistics:
    """Sums over frames, in float64, from which a mean and a standard deviation follow.

    Sums of parts of the data add up to those of the whole, whatever the order of the batches.

    Args:
        dim: F.
    """

    def __init__(self, dim: int) -> None:
        self.frames = 0
        self.sums = torch.zeros(dim, dtype=torch.float64)
        self.squares = torch.zeros(dim, dtype=torch.float64)

    def add(self, features: Tensor, lengths: Tensor) -> None:
        """Count the real frames of features (B, T, F)."""
        real = features[length.mask(lengths, features.shape[1])].double()
        self.frames += len(real)
        self.sums += real.sum(0).cpu()
        self.squares += real.square().sum(0).cpu()

    def mean(self) -> Tensor:
        """(F,) float64."""
        return self.sums / self.frames

    def std(self) -> Tensor:
        """(F,) float64, at least SMALLEST_STD."""
        return (self.squares / self.frames - self.mean().square()).clamp(min=SMALLEST_STD**2).sqrt()


class GlobalCMVN(nn.Module):
    """Every utterance by the mean and the standard deviation of the training data.

    The statistics are buffers, so that they travel in the state dict; `frames` is 0 until they are set.

    Args:
        dim: F.
    """

    mean: Tensor
    std: Tensor
    frames: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("std", torch.ones(dim))
        self.register_buffer("frames", torch.zeros((), dtype=torch.int64))

    def fit(self, statistics: Statistics) -> None:
        """Take the mean and standard deviation of `statistics`.

        Raises:
            LasasrError: they hold no frame, are of another width, or are not finite.
        """
        if statistics.frames == 0 or statistics.sums.shape != self.mean.shape:
            shape = f"{statistics.frames} frames of width {len(statistics.sums)}"
            raise LasasrError(f"CMVN needs training frames of width {len(self.mean)}, got {shape}")
        if not bool(statistics.squares.isfinite().all()):
            raise LasasrError("CMVN statistics are not finite: some training features are NaN or infinite")
        self.mean.copy_(statistics.mean())
        self.std.copy_(statistics.std())
        self.frames.fill_(statistics.frames)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Normalise features (B, T, F) of `lengths` (B,); the result is float32 and exactly 0 on padding."""
        real = length.mask(lengths, features.shape[1])[..., None]
        return torch.where(real, (features.float() - self.mean) / self.std, 0.0)
