"""Attention by position alone: a mixture of Gaussians whose means only move forward."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lasasr.attend.base import Attended, Attention
from lasasr.attend.values import Values
from lasasr.attend.weights import at_least_float32
from lasasr.nn.sizes import check_widths

NARROWEST = 0.1  # frames; a σ of 0 would divide by zero
WIDEST = 1e6  # frames of `step` and `width`, hours of them; squares of more leave what float32 has


class GmmMemory(NamedTuple):
    """Values and mask of an utterance."""

    values: Tensor  # (B, 1, T, D)
    mask: Tensor  # (B, T)


class GmmState(NamedTuple):
    """The means of the components."""

    mean: Tensor  # μ (B, K, M) in encoded frames, at least float32


class GmmAttention(Attention[GmmMemory, GmmState]):
    """α_t(j) ∝ Σ_m w_m N(j; μ_m, σ_m²), μ_t = μ_{t-1} + Δ, μ_0 = 0 (Graves 2013, §5.1; Battenberg et al. 2020, GMMv2b).

    w = softmax(ŵ), Δ = softplus(Δ̂), σ = softplus(σ̂) with (ŵ, Δ̂, σ̂) = W tanh(W_q q + b) + b'. The weights are
    renormalised over the real frames, so that they sum to 1 when a mean runs past the end.

    Args:
        dim: A, width of the hidden layer.
        components: M Gaussians.
        step: Δ at the start of training, encoded frames per token.
        width: σ at the start of training, encoded frames.
        values: "raw" or "projected" (see `Values`).
    """

    def __init__(
        self,
        *,
        encoded_dim: int,
        query_dim: int,
        dim: int = 128,
        components: int = 5,
        step: float = 1.0,
        width: float = 10.0,
        values: str = "raw",
    ) -> None:
        super().__init__()
        check_widths(dim=dim, components=components)
        for name, size in (("step", step), ("width", width)):
            if not 0.0 < size <= WIDEST:
                raise ValueError(f"{name} must be a number above 0 and at most {WIDEST:g} encoded frames, got {size}")
        self.context_dim = encoded_dim
        self.components, self.step, self.width = components, step, width
        self.hidden = nn.Linear(query_dim, dim)
        self.mixture = nn.Linear(dim, 3 * components)
        self.values = Values(encoded_dim=encoded_dim, values=values)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Biases that begin with Δ = `step` and σ = `width`."""
        with torch.no_grad():
            bias = self.mixture.bias.view(3, self.components)
            bias[0] = 0.0
            bias[1] = inverse_softplus(self.step)
            bias[2] = inverse_softplus(self.width)

    def memory(self, encoded: Tensor, mask: Tensor) -> GmmMemory:
        """Values of encoded (B, T, E)."""
        return GmmMemory(self.values.prepare(encoded), mask)

    def initial(self, memory: GmmMemory, hypotheses: int) -> GmmState:
        """All means at the start of the utterance."""
        start = at_least_float32(memory.values.new_zeros(memory.mask.shape[0], hypotheses, self.components))
        return GmmState(start)

    def forward(self, query: Tensor, memory: GmmMemory, state: GmmState) -> Attended[GmmState]:
        """Attend with query (B, K, Q)."""
        raw = at_least_float32(self.mixture(self.hidden(query).tanh()))
        share, step, width = raw.chunk(3, dim=-1)
        mean = state.mean + functional.softplus(step)
        width = functional.softplus(width) + NARROWEST
        frames = torch.arange(memory.mask.shape[1], device=raw.device, dtype=raw.dtype)
        distance = (frames - mean[..., None]) / width[..., None]  # (B, K, M, T)
        scores = (share.log_softmax(-1) - width.log())[..., None] - 0.5 * distance.square()
        energy = torch.where(memory.mask[:, None], scores.logsumexp(2), -torch.inf)
        weights = energy.softmax(-1)[:, :, None]
        return Attended(self.values(weights, memory.values), weights, GmmState(mean))


def inverse_softplus(value: float) -> Tensor:
    """x with softplus(x) = value."""
    return torch.tensor(value).expm1().log()
