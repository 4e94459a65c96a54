"""Convolutions over attention weights: the earlier weights of a hypothesis, as features of each frame."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lasasr.nn import shared_steps, tracing

BLOCK = 64  # frames that one product makes of an utterance longer than the filters


class LocationFilters(nn.Module):
    """f = conv1d(α), zeros beyond both ends, each head with its own filters (Chorowski et al. 2015, eq. 8).

    Args:
        filters: F per head.
        kernel_sizes: W of each head, in frames, odd.
        channels: N weight vectors convolved together.
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
        weights = weights.to(self.weight[0].dtype)
        if tracing.exporting():
            return self._convolved(weights)
        frames, block = weights.shape[-1], min(BLOCK, self.widest)
        window = block + self.widest - 1
        if frames <= window:
            rows = weights.flatten(3).flatten(0, 1).transpose(0, 1)  # (H, B·K, N·T)
            features = shared_steps.product(rows, shared_steps.cached(self._band, frames, frames, self.widest // 2))
            features = features.transpose(0, 1)  # (B·K, H, F·T)
        else:
            features = self._in_blocks(weights, block, window)
        return features.reshape(*weights.shape[:3], -1, frames).transpose(3, 4)

    def _convolved(self, weights: Tensor) -> Tensor:
        """The same by torch's convolution, which other runtimes have, for any number of frames."""
        batch, hypotheses, heads, _, frames = weights.shape
        filters = torch.cat(self._padded())  # (H·F, N, W)
        rows = weights.flatten(2, 3).flatten(0, 1)  # (B·K, H·N, T)
        features = functional.conv1d(rows, filters, padding=self.widest // 2, groups=heads)
        return features.view(batch, hypotheses, heads, -1, frames).transpose(3, 4)

    def _in_blocks(self, weights: Tensor, block: int, window: int) -> Tensor:
        """Features (B, K, H, F, T), a block of frames after another, each from the window of weights it depends on."""
        frames = weights.shape[-1]
        count = -(-frames // block)
        margin = self.widest // 2
        padded = functional.pad(weights, (margin, count * block - frames + margin))
        windows = padded.unfold(4, window, block).permute(2, 0, 1, 4, 3, 5)  # (H, B, K, count, N, window)
        matrix = shared_steps.cached(self._band, window, block, 0)
        features = shared_steps.product(windows.flatten(4).flatten(1, 3), matrix)  # (H, B·K·count, F·block)
        features = features.view(*windows.shape[:4], -1, block).permute(1, 2, 0, 4, 3, 5)
        return features.flatten(4)[..., :frames]

    def _band(self, rows: int, columns: int, shift: int) -> Tensor:
        return band(torch.stack(self._padded()), rows, columns, shift)

    def _padded(self) -> list[Tensor]:
        """The filters of each head (F, N, W), as wide as the widest."""
        margins = [(self.widest - weight.shape[2]) // 2 for weight in self.weight]
        return [functional.pad(w, (m, m)) if m else w for w, m in zip(self.weight, margins, strict=True)]


def band(filters: Tensor, rows: int, columns: int, shift: int) -> Tensor:
    """Filters (H, F, N, W) → the matrix (H, N·rows, F·columns) whose element [j, t] is filter[j − t + shift], or 0.

    Products with it are convolutions: several times faster than a convolution's own kernels, above all backwards. With
    rows counted from the last, s = rows − 1 − j, the element depends on s + t alone: a sliding view over the filter.
    """
    channels, width = filters.shape[2:]
    before = rows + shift - width
    after = columns - 1 - shift
    padded = functional.pad(filters.flip(3), (before, after))
    # (H, N, F, rows + columns - 1); one channel by another view, so that the gradient has the strides of the filters,
    # which DistributedDataParallel compares
    padded = padded.transpose(1, 2) if channels > 1 else padded.view(len(padded), 1, -1, padded.shape[3])
    matrix = padded.unfold(3, columns, 1).flip(3).transpose(2, 3)  # (H, N, rows, F, columns)
    return matrix.flatten(1, 2).flatten(2)


def kernel_sizes(kernel_size: int, heads: int, multires: bool) -> list[int]:
    """W of each head: all `kernel_size` = 2K + 1, or with `multires` half-width K·h/H for head h = 1..H (ESPnet)."""
    half = kernel_size // 2
    return [2 * (half * (h + 1) // heads) + 1 if multires else kernel_size for h in range(heads)]
