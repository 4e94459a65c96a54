"""Attention by content within a window that follows the last weights."""

from __future__ import annotations

from typing import NamedTuple, Unpack

from torch import Tensor

from lasasr.attend.base import Attended, Attention
from lasasr.attend.content import ContentMemory
from lasasr.attend.energies import AdditiveEnergy, DotEnergy
from lasasr.attend.values import Values
from lasasr.attend.weights import PreviousWeights, Weighting, WeightingOptions

ENERGIES: dict[str, type[AdditiveEnergy] | type[DotEnergy]] = {"additive": AdditiveEnergy, "dot": DotEnergy}


class WindowState(NamedTuple):
    """The last weights of each hypothesis."""

    weights: Tensor  # (B, K, H, T)


class WindowedAttention(Attention[ContentMemory, WindowState]):
    """e of a content energy, but −∞ beyond ±w frames of the median of α_{t-1} (Chorowski et al. 2015, §2.3).

    Args:
        energy: "additive" or "dot".
        half_window: w in frames, >= 1; the first window begins at the start of the utterance.
        dim: A, summed over the heads.
        heads: H, each with its own projections and window.
        values: "raw" or "projected" (see `Values`).
        weighting: `scale`, `weights`, `top_k` (see `Weighting`).
    """

    def __init__(
        self,
        *,
        encoded_dim: int,
        query_dim: int,
        energy: str = "additive",
        half_window: int = 75,
        dim: int = 128,
        heads: int = 1,
        values: str = "raw",
        **weighting: Unpack[WeightingOptions],
    ) -> None:
        super().__init__()
        if energy not in ENERGIES:
            raise ValueError(f"energy must be one of {', '.join(ENERGIES)}, got {energy!r}")
        if half_window < 1:
            raise ValueError(f"half_window must be >= 1, got {half_window}")
        self.context_dim, self.heads = encoded_dim, heads
        self.previous = PreviousWeights(alpha_0="first", half_window=half_window)
        self.energy = ENERGIES[energy](encoded_dim=encoded_dim, query_dim=query_dim, dim=dim, heads=heads)
        self.weigh = Weighting(**weighting)
        self.values = Values(encoded_dim=encoded_dim, heads=heads, values=values)

    def memory(self, encoded: Tensor, mask: Tensor) -> ContentMemory:
        """Keys and values of encoded (B, T, E)."""
        return ContentMemory(self.energy.keys(encoded), self.values.prepare(encoded), mask)

    def initial(self, memory: ContentMemory, hypotheses: int) -> WindowState:
        """All weight on the first frame."""
        return WindowState(self.previous.start(memory.mask, hypotheses, self.heads, memory.keys.dtype))

    def forward(self, query: Tensor, memory: ContentMemory, state: WindowState) -> Attended[WindowState]:
        """Attend with query (B, K, Q)."""
        mask = self.previous.mask(state.weights, memory.mask)
        weights = self.weigh(self.energy(query, memory.keys), mask)
        return Attended(self.values(weights, memory.values), weights, WindowState(weights))
