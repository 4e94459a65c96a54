"""Monotonic attention: the expected alignment while training, hard decisions at test time."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lasasr.attend.base import Attended, Attention
from lasasr.attend.energies import AdditiveEnergy
from lasasr.attend.values import Values
from lasasr.attend.weights import Previous, at_least_float32


class MonotonicMemory(NamedTuple):
    """What an utterance is, to a query."""

    keys: Tensor  # (B, 1, T, A)
    values: Tensor  # (B, 1, T, D)
    mask: Tensor  # (B, T)


class MonotonicState(NamedTuple):
    """Where each hypothesis stands."""

    weights: Tensor  # (B, K, 1, T): the expected α_{t-1}, or all on the last position


class Stopping(nn.Module):
    """Where each step stops: p = σ(e + noise), e = g · vᵀ/‖v‖ tanh(W_k h + b + W_q q) + r (Raffel et al. 2017, §2.4).

    Training: the expected alignment α_t(j) = p_t(j) Σ_{i≤j} α_{t-1}(i) Π_{i≤l<j} (1 - p_t(l)) (eq. 9). In `eval` mode:
    the first frame from the last position on with p >= ½, or none, and the position stays.

    Args:
        offset: r at the start of training; negative, so that weight reaches the later frames.
        noise: standard deviation of the noise on the energy while training, which makes p discrete (§2.5).
    """

    def __init__(self, *, encoded_dim: int, query_dim: int, dim: int, offset: float, noise: float) -> None:
        super().__init__()
        self.dim, self.start, self.noise = dim, offset, noise
        self.energy = AdditiveEnergy(encoded_dim=encoded_dim, query_dim=query_dim, dim=dim)
        self.gain = nn.Parameter(torch.empty(()))
        self.offset = nn.Parameter(torch.empty(()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """g = 1/√A, r = `offset`."""
        nn.init.constant_(self.gain, 1 / math.sqrt(self.dim))
        nn.init.constant_(self.offset, self.start)

    def forward(
        self, query: Tensor, keys: Tensor, mask: Tensor, state: MonotonicState
    ) -> tuple[Tensor, MonotonicState]:
        """Query (B, K, Q), keys (B, 1, T, A) and mask (B, T) → weights of the stop (B, K, 1, T) and the next state."""
        norm = at_least_float32(self.energy.vector).norm().clamp(min=1e-6)
        energy = at_least_float32(self.energy(query, keys)) * (self.gain / norm) + self.offset
        mask = mask[:, None, None]
        if self.training:
            chance = (energy + self.noise * torch.randn_like(energy)).sigmoid()
            weights = expected(torch.where(mask, chance, 0.0), state.weights)
            return weights, MonotonicState(weights)
        weights = first_stop((energy >= 0) & mask, state.weights)
        return weights, MonotonicState(weights + (1 - weights.sum(-1, keepdim=True)) * state.weights)


class MonotonicAttention(Attention[MonotonicMemory, MonotonicState]):
    """α_t(j) = p_t(j) Σ_{i≤j} α_{t-1}(i) Π_{i≤l<j} (1-p_t(l)), p = σ(e + noise); at test time the first p ≥ ½, alone.

    Raffel et al. 2017, eq. 9 and algorithm 1; the energy e is that of `Stopping`. Weights sum to less than 1 where a
    step may run past the end, and a step that finds no frame has the context 0.

    Args:
        dim: A.
        offset, noise: see `Stopping`.
        values: "raw" or "projected" (see `Values`).
    """

    sums_to_one = False

    def __init__(
        self,
        *,
        encoded_dim: int,
        query_dim: int,
        dim: int = 128,
        offset: float = -1.0,
        noise: float = 1.0,
        values: str = "raw",
    ) -> None:
        super().__init__()
        self.context_dim = encoded_dim
        self.previous = Previous(alpha_0="first")
        self.stop = Stopping(encoded_dim=encoded_dim, query_dim=query_dim, dim=dim, offset=offset, noise=noise)
        self.values = Values(encoded_dim=encoded_dim, values=values)

    def memory(self, encoded: Tensor, mask: Tensor) -> MonotonicMemory:
        """Keys and values of encoded (B, T, E)."""
        return MonotonicMemory(self.stop.energy.keys(encoded), self.values.prepare(encoded), mask)

    def initial(self, memory: MonotonicMemory, hypotheses: int) -> MonotonicState:
        """At the first frame."""
        return MonotonicState(self.previous.start(memory.mask, hypotheses, self.heads, memory.keys.dtype))

    def forward(self, query: Tensor, memory: MonotonicMemory, state: MonotonicState) -> Attended[MonotonicState]:
        """Attend with query (B, K, Q)."""
        weights, state = self.stop(query, memory.keys, memory.mask, state)
        return Attended(self.values(weights, memory.values), weights, state)


class MochaMemory(NamedTuple):
    """What an utterance is, to a query that stops and to one that then looks back."""

    keys: Tensor  # (B, 1, T, A)
    chunk_keys: Tensor  # (B, 1, T, A)
    values: Tensor  # (B, 1, T, D)
    mask: Tensor  # (B, T)


class MochaAttention(Attention[MochaMemory, MonotonicState]):
    """β_t(j) = Σ_k α_t(k) softmax(u(k-w+1) .. u(k))(j), α_t as `monotonic`, u as `additive` (Chiu & Raffel 2018, §2.3).

    Args:
        chunk: w in frames.
        dim: A, of both energies.
        offset, noise: see `Stopping`.
        values: "raw" or "projected" (see `Values`).
    """

    sums_to_one = False

    def __init__(
        self,
        *,
        encoded_dim: int,
        query_dim: int,
        dim: int = 128,
        chunk: int = 8,
        offset: float = -1.0,
        noise: float = 1.0,
        values: str = "raw",
    ) -> None:
        super().__init__()
        if chunk < 1:
            raise ValueError(f"chunk must be >= 1, got {chunk}")
        self.context_dim, self.chunk = encoded_dim, chunk
        self.previous = Previous(alpha_0="first")
        self.stop = Stopping(encoded_dim=encoded_dim, query_dim=query_dim, dim=dim, offset=offset, noise=noise)
        self.energy = AdditiveEnergy(encoded_dim=encoded_dim, query_dim=query_dim, dim=dim)
        self.values = Values(encoded_dim=encoded_dim, values=values)

    def memory(self, encoded: Tensor, mask: Tensor) -> MochaMemory:
        """Keys and values of encoded (B, T, E)."""
        keys, chunk_keys = self.stop.energy.keys(encoded), self.energy.keys(encoded)
        return MochaMemory(keys, chunk_keys, self.values.prepare(encoded), mask)

    def initial(self, memory: MochaMemory, hypotheses: int) -> MonotonicState:
        """At the first frame."""
        return MonotonicState(self.previous.start(memory.mask, hypotheses, self.heads, memory.keys.dtype))

    def forward(self, query: Tensor, memory: MochaMemory, state: MonotonicState) -> Attended[MonotonicState]:
        """Attend with query (B, K, Q)."""
        stops, state = self.stop(query, memory.keys, memory.mask, state)
        weights = chunkwise(stops, at_least_float32(self.energy(query, memory.chunk_keys)), self.chunk)
        return Attended(self.values(weights, memory.values), weights, state)


def expected(chance: Tensor, previous: Tensor) -> Tensor:
    """α(j) = p(j) q(j), q(j) = (1 - p(j-1)) q(j-1) + α_{t-1}(j), for chance p and previous α_{t-1} (B, K, H, T).

    Raffel et al. write q as cumprod(1-p) · cumsum(α / cumprod(1-p)), whose product underflows after some hundred
    frames. The same recurrence is solved here by doubling: after round n, q covers 2ⁿ frames, and all that is ever
    multiplied lies in [0, 1].
    """
    keep = functional.pad(1 - chance[..., :-1], (1, 0))
    reached = previous
    shift = 1
    while shift < chance.shape[-1]:
        reached = reached + keep * functional.pad(reached[..., :-shift], (shift, 0))
        keep = keep * functional.pad(keep[..., :-shift], (shift, 0))
        shift *= 2
    return chance * reached


def first_stop(stops: Tensor, position: Tensor) -> Tensor:
    """One-hot first of `stops` (B, K, H, T) bool at or after the one-hot `position`; all 0 where there is none."""
    candidates = stops & (position.cumsum(-1) > 0.5)
    first = candidates & (candidates.cumsum(-1) == 1)
    return first.to(position.dtype)


def chunkwise(stops: Tensor, energy: Tensor, chunk: int) -> Tensor:
    """β(j) = Σ_k α(k) softmax(u(k-w+1) .. u(k))(j): each stop α(k) spread over the w frames that end in it."""
    energy = functional.pad(energy, (chunk - 1, 0), value=-torch.inf)
    shares = stops[..., None] * energy.unfold(-1, chunk, 1).softmax(-1)  # (B, K, H, T, w): frame k - w + 1 + n at n
    frames = stops.shape[-1]
    weights = shares[..., -1]
    for back in range(1, min(chunk, frames)):
        weights = weights + functional.pad(shares[..., back:, chunk - 1 - back], (0, back))
    return weights
