"""Self-attention over the real frames of each utterance, with and without relative positions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from lasasr.listen.positions import by_distance


class SelfAttention(nn.Module):
    """Every frame reads all real frames of its utterance, by scaled dot products (Vaswani et al. 2017, §3.2).

    Args:
        dim: D.
        heads: D is a multiple.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(dim, 3 * dim)  # to queries, keys and values
        self.join = nn.Linear(dim, dim)

    def forward(self, frames: Tensor, real: Tensor, distances: Tensor | None = None) -> Tensor:
        """Frames (B, T, D), whose padding may hold anything finite → (B, T, D), something finite on padding.

        Args:
            frames: (B, T, D).
            real: (B, T) bool, at least one frame of each utterance.
            distances: (2T, D), see `positions.distances`; of no use here.
        """
        query, key, value = (self._split(part) for part in self.project(frames).chunk(3, -1))
        return self._joined(self._read(query, key, value, real[:, None, None, :], distances))

    def _read(self, query: Tensor, key: Tensor, value: Tensor, real: Tensor, distances: Tensor | None) -> Tensor:
        """(B, H, T, D / H) of each."""
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=real)

    def _split(self, frames: Tensor) -> Tensor:
        """(..., T, D) → (..., H, T, D / H)."""
        return frames.view(*frames.shape[:-1], self.heads, frames.shape[-1] // self.heads).transpose(-3, -2)

    def _joined(self, read: Tensor) -> Tensor:
        joined: Tensor = self.join(read.transpose(1, 2).flatten(2))
        return joined


class RelativeSelfAttention(SelfAttention):
    """Energies by content and by distance, with a bias of each head for both (Dai et al. 2019, §3.3).

    e(i, j) = ((q_i + u)ᵀ k_j + (q_i + v)ᵀ W r_{i−j}) / √(D / H), r the sinusoids of a distance.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__(dim, heads)
        self.project_distance = nn.Linear(dim, dim, bias=False)
        self.content_bias = nn.Parameter(torch.empty(heads, dim // heads))
        self.distance_bias = nn.Parameter(torch.empty(heads, dim // heads))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Biases as large as those of a linear layer of this width."""
        bound = 1.0 / math.sqrt(self.content_bias.numel())
        for bias in (self.content_bias, self.distance_bias):
            nn.init.uniform_(bias, -bound, bound)

    def _read(self, query: Tensor, key: Tensor, value: Tensor, real: Tensor, distances: Tensor | None) -> Tensor:
        if distances is None:
            raise ValueError("self-attention with relative positions needs the encodings of distances, got None")
        distant = self._split(self.project_distance(distances))  # (H, 2T, D / H)
        energies = (query + self.distance_bias[:, None]) @ distant.transpose(1, 2)
        bias = by_distance(energies) / math.sqrt(query.shape[-1])
        with torch.no_grad():  # in place: softmax passes no gradient where its weight is 0
            bias.masked_fill_(~real, float("-inf"))
        query = query + self.content_bias[:, None]
        # under autocast the sums with a bias are float32, what a layer makes is not
        return _weighted(query.to(key.dtype), key, value, bias.to(key.dtype))


def _weighted(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Scaled dot products with a bias of each energy.

    On a CPU, torch has no fused kernel where the bias needs a gradient, and its plain one computes bfloat16 and float16
    in float32, at several times the cost of their products. There energies and weights are of the type of the rest,
    each rounded once.
    """
    plain = bias.requires_grad and torch.is_grad_enabled() and bias.device.type == "cpu"
    if not plain or bias.dtype not in (torch.bfloat16, torch.float16):
        return functional.scaled_dot_product_attention(query, key, value, bias)
    rows = bias.flatten(0, 1)  # baddbmm rounds the sum of product and bias once
    scale = 1.0 / math.sqrt(query.shape[-1])
    energies = torch.baddbmm(rows, query.flatten(0, 1), key.flatten(0, 1).transpose(1, 2), alpha=scale)
    return (energies.softmax(-1).to(value.dtype) @ value.flatten(0, 1)).view_as(query)
