"""What the additive variants whose state holds earlier weights share: location, coverage and forward attention."""

from __future__ import annotations

from typing import TypeVar, Unpack

from torch import Tensor

from lasasr.attend.base import Attention
from lasasr.attend.content import ContentMemory
from lasasr.attend.energies import AdditiveEnergy
from lasasr.attend.values import Values
from lasasr.attend.weights import Weighting, WeightingOptions

S = TypeVar("S")


class FeatureOptions(WeightingOptions, total=False):
    """Keywords that every variant of this kind passes on to `FeatureAttention`."""

    dim: int
    heads: int
    values: str
    value_dim: int


class FeatureAttention(Attention[ContentMemory, S]):
    """e = vᵀ tanh(W_k h + b + W_q q + W_f f) for features f that a variant computes from its state.

    Args:
        features: F per head.
        dim: A, summed over the heads.
        heads: H, each with its own projections.
        values, value_dim: see `Values`.
        weighting: `scale`, `weights`, `top_k` (see `Weighting`).
    """

    def __init__(
        self,
        *,
        encoded_dim: int,
        query_dim: int,
        features: int,
        dim: int = 128,
        heads: int = 1,
        values: str = "raw",
        value_dim: int = 0,
        **weighting: Unpack[WeightingOptions],
    ) -> None:
        super().__init__()
        self.context_dim, self.heads = encoded_dim, heads
        self.energy = AdditiveEnergy(
            encoded_dim=encoded_dim, query_dim=query_dim, dim=dim, heads=heads, features=features
        )
        self.weigh = Weighting(**weighting)
        self.values = Values(encoded_dim=encoded_dim, heads=heads, values=values, value_dim=value_dim)

    def memory(self, encoded: Tensor, mask: Tensor) -> ContentMemory:
        """Keys and values of encoded (B, T, E)."""
        return ContentMemory(self.energy.keys(encoded), self.values.prepare(encoded), mask)

    def attend(self, query: Tensor, memory: ContentMemory, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Context (B, K, C) and weights (B, K, H, T) for query (B, K, Q) and features (B, K, H, T, F)."""
        weights = self.weigh(self.energy(query, memory.keys, features), mask)
        return self.values(weights, memory.values), weights
