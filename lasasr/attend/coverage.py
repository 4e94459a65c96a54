"""Attention whose state is the sum of the weights that each frame has had, per hypothesis."""

from __future__ import annotations

from typing import NamedTuple, Unpack

import torch
from torch import Tensor, nn

from lasasr.attend.base import Attended, Attention
from lasasr.attend.content import ContentMemory
from lasasr.attend.energies import AdditiveEnergy
from lasasr.attend.feature import FeatureAttention, FeatureOptions
from lasasr.attend.filters import LocationFilters
from lasasr.attend.values import Values
from lasasr.attend.weights import PreviousWeights, Weighting, WeightingOptions, at_least_float32


class CoverageState(NamedTuple):
    """How much weight each frame has had."""

    coverage: Tensor  # (B, K, H, T), at least float32


class CoverageAttention(FeatureAttention[CoverageState]):
    """g_t = Σ_{i<t} α_i; e = vᵀ tanh(W_k h + b + W_q q + W_f f), f = g_t or conv1d(g_t).

    The first is See et al. 2017, eq. 10 and 11 (`coverage`); the second is ESPnet's `coverage_location`.

    Args:
        filters: F of the convolution; 0 shows the energy the coverage itself.
        kernel_size: frames under a filter, odd.
        alpha_0: the sum before the first step: "zeros" (See et al.), "uniform" over real frames (ESPnet), "first".
        detach: no gradient through the sum.
        options: `dim`, `heads`, `values`, `value_dim`, `scale`, `weights`, `top_k` (see `FeatureAttention`).
    """

    def __init__(
        self,
        *,
        encoded_dim: int,
        query_dim: int,
        filters: int = 0,
        kernel_size: int = 201,
        alpha_0: str = "zeros",
        detach: bool = False,
        **options: Unpack[FeatureOptions],
    ) -> None:
        super().__init__(encoded_dim=encoded_dim, query_dim=query_dim, features=filters or 1, **options)
        self.previous = PreviousWeights(alpha_0, detach)
        self.location = LocationFilters(filters, [kernel_size] * self.heads) if filters else None

    def initial(self, memory: ContentMemory, hypotheses: int) -> CoverageState:
        """α_0."""
        return CoverageState(self.previous.start(memory.mask, hypotheses, self.heads, memory.keys.dtype))

    def forward(self, query: Tensor, memory: ContentMemory, state: CoverageState) -> Attended[CoverageState]:
        """Attend with query (B, K, Q)."""
        coverage = self.previous.differentiable(state.coverage)
        features = coverage[..., None] if self.location is None else self.location(coverage[..., None, :])
        context, weights = self.attend(query, memory, features, memory.mask)
        return Attended(context, weights, CoverageState(state.coverage + weights))


class FertilityMemory(NamedTuple):
    """Keys and values of an utterance, and how much attention each frame takes before it is used up."""

    keys: Tensor  # (B, H, T, A / H)
    values: Tensor  # (B, H or 1, T, D)
    mask: Tensor  # (B, T)
    share: Tensor  # (B, 1, H, T), ½ σ(uᵀh): the inverse of a frame's fertility


class FertilityState(NamedTuple):
    """How far each frame is used up."""

    used: Tensor  # β (B, K, H, T), at least float32


class FertilityAttention(Attention[FertilityMemory, FertilityState]):
    """e = vᵀ tanh(W_h h + b + W_s s + W_β β_{t-1}), β_t = β_{t-1} + ½ σ(uᵀh) α_t, β_0 = 0 (Zeyer et al. 2018).

    Args:
        dim: A, summed over the heads.
        heads: H, each with its own projections and fertility.
        values: "raw" or "projected" (see `Values`).
        weighting: `scale`, `weights`, `top_k` (see `Weighting`).
    """

    def __init__(
        self,
        *,
        encoded_dim: int,
        query_dim: int,
        dim: int = 128,
        heads: int = 1,
        values: str = "raw",
        **weighting: Unpack[WeightingOptions],
    ) -> None:
        super().__init__()
        self.context_dim, self.heads = encoded_dim, heads
        self.energy = AdditiveEnergy(encoded_dim=encoded_dim, query_dim=query_dim, dim=dim, heads=heads, features=1)
        self.fertility = nn.Linear(encoded_dim, heads, bias=False)
        self.weigh = Weighting(**weighting)
        self.values = Values(encoded_dim=encoded_dim, heads=heads, values=values)

    def memory(self, encoded: Tensor, mask: Tensor) -> FertilityMemory:
        """Keys, values and fertilities of encoded (B, T, E)."""
        share = 0.5 * at_least_float32(self.fertility(encoded)).sigmoid().transpose(1, 2)[:, None]
        return FertilityMemory(self.energy.keys(encoded), self.values.prepare(encoded), mask, share)

    def initial(self, memory: FertilityMemory, hypotheses: int) -> FertilityState:
        """Nothing is used up."""
        return FertilityState(torch.zeros_like(memory.share).repeat(1, hypotheses, 1, 1))

    def forward(self, query: Tensor, memory: FertilityMemory, state: FertilityState) -> Attended[FertilityState]:
        """Attend with query (B, K, Q)."""
        weights = self.weigh(self.energy(query, memory.keys, state.used[..., None]), memory.mask)
        context = self.values(weights, memory.values)
        return Attended(context, weights, FertilityState(state.used + memory.share * weights))
