"""Convolutions over attention weights: where a hypothesis looked before, as features of each frame."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class LocationFilters(nn.Module):
    """f = conv1d(α), zeros beyond both ends, each head with its own filters (Chorowski et al. 2015, eq. 8).

    Args:
        filters: F per head.
        kernel_sizes: W of each head, in frames, odd.
        channels: N weight vectors seen at once.
    """

    def __init__(self, filters: int, kernel_sizes: Sequence[int], channels: int = 1) -> None:
        super().__init__()
        for size in kernel_sizes:
            if size % 2 == 0:
                raise ValueError(f"kernel_size must be odd, got {size}")
        self.widest = max(kernel_sizes)
        self.weight = nn.ParameterList(torch.empty(filters, channels, size) for size in kernel_sizes)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in ±1/√fan-in, as nn.Conv1d."""
        for weight in self.weight:
            bound = 1 / math.sqrt(weight.shape[1] * weight.shape[2])
            nn.init.uniform_(weight, -bound, bound)

    def forward(self, weights: Tensor) -> Tensor:
        """Weights (B, K, H, N, T) → features (B, K, H, T, F)."""
        filters = torch.stack([functional.pad(w, ((self.widest - w.shape[2]) // 2,) * 2) for w in self.weight])
        weights = weights.to(filters.dtype)
        if weights.shape[-1] <= self.widest:
            return toeplitz(weights, filters)
        return convolution(weights, filters)


def convolution(weights: Tensor, filters: Tensor) -> Tensor:
    """Weights (B, K, H, N, T) under filters (H, F, N, W) → (B, K, H, T, F)."""
    heads, count, _, width = filters.shape
    maps = weights.flatten(2, 3).flatten(0, 1)  # (B·K, H·N, T)
    features = functional.conv1d(maps, filters.flatten(0, 1), padding=width // 2, groups=heads)
    return features.view(*weights.shape[:3], count, -1).transpose(3, 4)


def toeplitz(weights: Tensor, filters: Tensor) -> Tensor:
    """`convolution` as one matrix product, several times faster while T <= W: the filters cover the utterance.

    With frames counted backwards, s = T − 1 − j, the matrix [s, t] = filter[j − t + W // 2] depends on s + t alone:
    it is a sliding view over the padded filter.
    """
    frames = weights.shape[-1]
    margin = frames - 1 - filters.shape[3] // 2
    padded = functional.pad(filters.flip(3), (margin, margin)).permute(0, 2, 3, 1)  # (H, N, 2T - 1, F)
    matrix = padded.unfold(2, frames, 1).transpose(3, 4).flatten(1, 2).flatten(2)  # (H, N·T, T·F)
    features = weights.flip(4).flatten(3).flatten(0, 1).transpose(0, 1) @ matrix  # (H, B·K, T·F)
    return features.transpose(0, 1).reshape(*weights.shape[:3], frames, -1)


def kernel_sizes(kernel_size: int, heads: int, multires: bool) -> list[int]:
    """W of each head: all `kernel_size` = 2K + 1, or with `multires` half-width K·h/H for head h = 1..H (ESPnet)."""
    half = kernel_size // 2
    return [2 * (half * (h + 1) // heads) + 1 if multires else kernel_size for h in range(heads)]
