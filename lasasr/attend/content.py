"""Attention by content alone: energies that read no earlier weights. Its state is empty."""

from __future__ import annotations

from typing import NamedTuple, Unpack

from torch import Tensor

from lasasr.attend.base import Attended, Attention
from lasasr.attend.energies import AdditiveEnergy, DotEnergy, GeneralEnergy
from lasasr.attend.values import Values
from lasasr.attend.weights import Weighting, WeightingOptions


class ContentMemory(NamedTuple):
    """Keys and values of an utterance."""

    keys: Tensor  # (B, H, T, A / H)
    values: Tensor  # (B, H or 1, T, D)
    mask: Tensor  # (B, T)


class NoState(NamedTuple):
    """Empty: energies depend on no earlier step."""


class ContentAttention(Attention[ContentMemory, NoState]):
    """α = softmax(e(q, h)), c = Σ α v, for an energy that reads query and frame only.

    Args:
        encoded_dim: E.
        energy: a module of `attend/energies.py` with H = `heads`.
        heads: H; several have their own projections, concatenated and projected to E.
        values, value_dim: see `Values`.
        weighting: `scale`, `weights`, `top_k` (see `Weighting`).
    """

    def __init__(
        self,
        *,
        encoded_dim: int,
        energy: DotEnergy | GeneralEnergy | AdditiveEnergy,
        heads: int = 1,
        values: str = "raw",
        value_dim: int = 0,
        **weighting: Unpack[WeightingOptions],
    ) -> None:
        super().__init__()
        self.context_dim, self.heads = encoded_dim, heads
        self.energy = energy
        self.weigh = Weighting(**weighting)
        self.values = Values(encoded_dim=encoded_dim, heads=heads, values=values, value_dim=value_dim)

    def memory(self, encoded: Tensor, mask: Tensor) -> ContentMemory:
        """Keys and values of encoded (B, T, E)."""
        return ContentMemory(self.energy.keys(encoded), self.values.prepare(encoded), mask)

    def initial(self, memory: ContentMemory, hypotheses: int) -> NoState:
        """Nothing."""
        return NoState()

    def forward(self, query: Tensor, memory: ContentMemory, state: NoState) -> Attended[NoState]:
        """Attend with query (B, K, Q)."""
        weights = self.weigh(self.energy(query, memory.keys), memory.mask)
        return Attended(self.values(weights, memory.values), weights, state)


class DotAttention(ContentAttention):
    """e = ⟨W_k h, W_q q⟩ (Luong et al. 2015, §3.1; Chan et al. 2015, eq. 9).

    Args:
        dim: A, summed over the heads.
        scaled: divide the energy by √(A / H) (Vaswani et al. 2017, §3.2.1).
        tanh: squash both sides, as ESPnet does.
        key_bias: a bias on the keys, inside the tanh (ESPnet, `dot`).
        values, value_dim: see `Values`.
    """

    def __init__(
        self,
        *,
        encoded_dim: int,
        query_dim: int,
        dim: int = 128,
        heads: int = 1,
        scaled: bool = False,
        tanh: bool = False,
        key_bias: bool = False,
        values: str = "raw",
        value_dim: int = 0,
        **weighting: Unpack[WeightingOptions],
    ) -> None:
        energy = DotEnergy(
            encoded_dim=encoded_dim,
            query_dim=query_dim,
            dim=dim,
            heads=heads,
            scaled=scaled,
            tanh=tanh,
            key_bias=key_bias,
        )
        super().__init__(
            encoded_dim=encoded_dim, energy=energy, heads=heads, values=values, value_dim=value_dim, **weighting
        )


class GeneralAttention(ContentAttention):
    """e = qᵀ W h (Luong et al. 2015, §3.1)."""

    def __init__(
        self, *, encoded_dim: int, query_dim: int, values: str = "raw", **weighting: Unpack[WeightingOptions]
    ) -> None:
        energy = GeneralEnergy(encoded_dim=encoded_dim, query_dim=query_dim)
        super().__init__(encoded_dim=encoded_dim, energy=energy, values=values, **weighting)


class AdditiveAttention(ContentAttention):
    """e = vᵀ tanh(W_k h + b + W_q q) (Bahdanau et al. 2015, §A.1.2).

    Args:
        dim: A, summed over the heads.
        bias: b. Without it this is Luong's `concat`, vᵀ tanh(W[h; q]): W holds W_k and W_q side by side.
        values, value_dim: see `Values`.
    """

    def __init__(
        self,
        *,
        encoded_dim: int,
        query_dim: int,
        dim: int = 128,
        heads: int = 1,
        bias: bool = True,
        values: str = "raw",
        value_dim: int = 0,
        **weighting: Unpack[WeightingOptions],
    ) -> None:
        energy = AdditiveEnergy(encoded_dim=encoded_dim, query_dim=query_dim, dim=dim, heads=heads, bias=bias)
        super().__init__(
            encoded_dim=encoded_dim, energy=energy, heads=heads, values=values, value_dim=value_dim, **weighting
        )
