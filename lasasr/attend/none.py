"""No attention: the mean of the utterance at every step, the baseline that every variant must beat."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from lasasr.attend.base import Attended, Attention
from lasasr.attend.weights import PreviousWeights


class MeanMemory(NamedTuple):
    """The mean frame, and the weights that made it."""

    mean: Tensor  # (B, 1, E)
    weights: Tensor  # (B, 1, 1, T)


class NoState(NamedTuple):
    """Empty: every step is the same."""


class NoAttention(Attention[MeanMemory, NoState]):
    """α(j) = 1/T over the real frames; the query is not read and there are no parameters."""

    def __init__(self, *, encoded_dim: int, query_dim: int) -> None:
        super().__init__()
        self.context_dim = encoded_dim

    def memory(self, encoded: Tensor, mask: Tensor) -> MeanMemory:
        """The mean of encoded (B, T, E) under mask (B, T)."""
        weights = PreviousWeights("uniform").start(mask, hypotheses=1, heads=1, dtype=encoded.dtype)
        return MeanMemory(weights.squeeze(1).to(encoded.dtype) @ encoded, weights)

    def initial(self, memory: MeanMemory, hypotheses: int) -> NoState:
        """Nothing."""
        return NoState()

    def forward(self, query: Tensor, memory: MeanMemory, state: NoState) -> Attended[NoState]:
        """The same for every query (B, K, Q)."""
        hypotheses = query.shape[1]
        context = memory.mean.expand(-1, hypotheses, -1)
        return Attended(context, memory.weights.expand(-1, hypotheses, -1, -1), state)
