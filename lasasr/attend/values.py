"""Weights → context: what is averaged, and how the heads come together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lasasr.nn import shared_steps
from lasasr.nn.shared_layers import SharedLinear

VALUES = ("raw", "projected")


class Values(nn.Module):
    """Weighted means of encoded frames, one per head, concatenated and (for several heads) projected to width E.

    Args:
        encoded_dim: E.
        heads: H.
        values: "raw" averages the encoded frames themselves; "projected" gives each head its own linear map to
            E // H (Vaswani et al. 2017, §3.2.2).
        value_dim: width of each head's projection in place of E // H, as in ESPnet's multi-head classes; 0: E // H.

    Raises:
        ValueError: an unknown `values`, or a `value_dim` where there are no projections of several heads.
    """

    def __init__(self, *, encoded_dim: int, heads: int = 1, values: str = "raw", value_dim: int = 0) -> None:
        super().__init__()
        if values not in VALUES:
            raise ValueError(f"values must be one of {', '.join(VALUES)}, got {values!r}")
        if value_dim < 0 or (value_dim and (values != "projected" or heads == 1)):
            raise ValueError(
                f"value_dim must be 0, or with heads >= 2 and values 'projected' a width, "
                f"got value_dim {value_dim}, heads {heads} and values {values!r}"
            )
        self.heads = heads
        width = encoded_dim
        self.project: nn.Module = nn.Identity()
        if values == "projected":
            width = value_dim or max(1, encoded_dim // heads)
            self.project = nn.Linear(encoded_dim, heads * width, bias=False)
        self.join = SharedLinear(heads * width, encoded_dim, bias=False) if heads > 1 else None
        self.split = heads if values == "projected" else 1

    def prepare(self, encoded: Tensor) -> Tensor:
        """Encoded (B, T, E) → values (B, H, T, D), or (B, 1, T, E) where all heads average the same frames."""
        return split_heads(self.project(encoded), self.split)

    def forward(self, weights: Tensor, values: Tensor) -> Tensor:
        """Weights (B, K, H, T) and values (B, H or 1, T, D) → context (B, K, E)."""
        weights = weights.to(values.dtype)
        if self.split == 1:
            frames = shared_steps.cached(torch.squeeze, values, 1)
            means = shared_steps.product(weights.flatten(1, 2), frames).view(*weights.shape[:3], -1)
        else:
            means = shared_steps.product(weights.transpose(1, 2), values).transpose(1, 2)
        means = means.flatten(2)
        if self.join is None:
            return means
        joined: Tensor = self.join(means)
        return joined


def split_heads(frames: Tensor, heads: int) -> Tensor:
    """(B, T, H·A) → (B, H, T, A), contiguous."""
    return frames.view(*frames.shape[:2], heads, -1).transpose(1, 2).contiguous()
