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
from lasasr.attend.weights import PreviousWeights, at_least_float32
from lasasr.nn import tracing
from lasasr.nn.shared_layers import parameter
from lasasr.nn.sizes import check_widths


class MonotonicMemory(NamedTuple):
    """Keys and values of an utterance."""

    keys: Tensor  # (B, 1, T, A)
    values: Tensor  # (B, 1, T, D)
    mask: Tensor  # (B, T)


class MonotonicState(NamedTuple):
    """The position of each hypothesis."""

    weights: Tensor  # (B, K, 1, T): the expected α_{t-1}, or all on the last position


class Stopping(nn.Module):
    """Where each step stops: p = σ(e + noise), e = g · vᵀ/‖v‖ tanh(W_k h + b + W_q q) + r (Raffel et al. 2017, §2.4).

    Training: the expected alignment α_t(j) = p_t(j) Σ_{i≤j} α_{t-1}(i) Π_{i≤l<j} (1 - p_t(l)) (eq. 9). In `eval` mode:
    one frame from the last position on, or none, and the position stays.

    Args:
        energy: of which direction and size are parted.
        offset: r at the start of training; negative, so that weight reaches the later frames.
        noise: standard deviation of the noise on the energy while training, which makes p discrete (§2.5).
        decision: of the one frame: "threshold", the first with p >= ½ (algorithm 1), or "median", the first by which
            to have stopped is likelier than not, Π (1 - p) <= ½. They agree where p is near 0 or 1.
        hard: share of the training steps that decide as at test time; their gradient is that of the expected alignment
            (Bengio et al. 2013, straight-through). With noise alone, p stays between 0 and 1 for many thousand updates,
            and the hard decisions of a model that reads well by expectation are useless.
    """

    def __init__(self, energy: AdditiveEnergy, *, offset: float, noise: float, decision: str, hard: float) -> None:
        super().__init__()
        if decision not in ("median", "threshold"):
            raise ValueError(f"decision must be median or threshold, got {decision}")
        if not 0.0 <= hard <= 1.0:
            raise ValueError(f"hard must be in [0, 1], got {hard}")
        self.energy, self.start, self.noise = energy, offset, noise
        self.median, self.hard = decision == "median", hard
        self.gain = nn.Parameter(torch.empty(()))
        self.offset = nn.Parameter(torch.empty(()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """g = 1/√A, r = `offset`."""
        nn.init.constant_(self.gain, 1 / math.sqrt(self.energy.vector.numel()))
        nn.init.constant_(self.offset, self.start)

    def forward(
        self, query: Tensor, keys: Tensor, mask: Tensor, state: MonotonicState
    ) -> tuple[Tensor, MonotonicState]:
        """Query (B, K, Q), keys (B, 1, T, A) and mask (B, T) → weights of the stop (B, K, 1, T) and the next state."""
        norm = at_least_float32(parameter(self.energy, "vector")).norm().clamp(min=1e-6)
        energy = at_least_float32(self.energy(query, keys)) * (self.gain / norm) + self.offset
        mask = mask[:, None, None]
        if not self.training:
            weights, position = decided(energy, mask, state.weights, self.median)
            return weights, MonotonicState(position)
        energy = energy + self.noise * torch.randn_like(energy)
        weights = expected(torch.where(mask, energy.sigmoid(), 0.0), state.weights)
        if not self.hard:
            return weights, MonotonicState(weights)
        drawn = torch.rand_like(energy[..., :1]) < self.hard
        slope = weights - weights.detach()  # 0, with the gradient of the expected alignment
        stop, position = decided(energy, mask, state.weights, self.median)
        return torch.where(drawn, stop + slope, weights), MonotonicState(torch.where(drawn, position + slope, weights))


class MonotonicAttention(Attention[MonotonicMemory, MonotonicState]):
    """α_t(j) = p_t(j) Σ_{i≤j} α_{t-1}(i) Π_{i≤l<j} (1-p_t(l)), p = σ(e + noise); at test time one frame.

    Raffel et al. 2017, eq. 9 and algorithm 1; the energy e is that of `Stopping`. Weights sum to less than 1 where a
    step may run past the end, and a step that finds no frame has the context 0.

    Args:
        dim: A.
        offset, noise, decision, hard: see `Stopping`.
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
        decision: str = "median",
        hard: float = 0.5,
        values: str = "raw",
    ) -> None:
        super().__init__()
        self.context_dim = encoded_dim
        self.previous = PreviousWeights(alpha_0="first")
        energy = AdditiveEnergy(encoded_dim=encoded_dim, query_dim=query_dim, dim=dim)
        self.stop = Stopping(energy, offset=offset, noise=noise, decision=decision, hard=hard)
        self.moves_diagonally = hard > 0.0
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
    """Keys and values of an utterance; the chunk has keys of its own."""

    keys: Tensor  # (B, 1, T, A)
    chunk_keys: Tensor  # (B, 1, T, A)
    values: Tensor  # (B, 1, T, D)
    mask: Tensor  # (B, T)


class MochaAttention(Attention[MochaMemory, MonotonicState]):
    """β_t(j) = Σ_k α_t(k) softmax(u(k-w+1) .. u(k))(j), α_t as `monotonic`, u as `additive` (Chiu & Raffel 2018, §2.3).

    Args:
        chunk: w in frames.
        dim: A, of both energies.
        offset, noise, decision, hard: see `Stopping`.
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
        decision: str = "median",
        hard: float = 0.5,
        values: str = "raw",
    ) -> None:
        super().__init__()
        if chunk < 1:
            raise ValueError(f"chunk must be >= 1, got {chunk}")
        check_widths(chunk=chunk)
        self.context_dim, self.chunk = encoded_dim, chunk
        self.previous = PreviousWeights(alpha_0="first")
        energy = AdditiveEnergy(encoded_dim=encoded_dim, query_dim=query_dim, dim=dim)
        self.stop = Stopping(energy, offset=offset, noise=noise, decision=decision, hard=hard)
        self.moves_diagonally = hard > 0.0
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


@torch.no_grad()
def decided(energy: Tensor, mask: Tensor, last: Tensor, median: bool) -> tuple[Tensor, Tensor]:
    """One frame for each hypothesis: one-hot (B, K, H, T), all 0 where none is found; and the position after it.

    Args:
        energy: (B, K, H, T), p = σ(energy).
        mask: broadcasts to it.
        last: weights (B, K, H, T); the last position is where they reach half of their sum.
        median: the first frame j from the last position i on with Π_{i≤l≤j} (1 - p(l)) <= ½, or else with p(j) >= ½.
    """
    reached = last.cumsum(-1)
    ahead = (reached >= 0.5 * reached[..., -1:]) & mask
    passed = functional.softplus(energy).where(ahead, 0.0).cumsum(-1)  # -log Π (1 - p)
    stops = passed >= math.log(2.0) if median else energy >= 0
    weights = first(stops & ahead, last.dtype)
    return weights, torch.where(weights.sum(-1, keepdim=True) > 0, weights, first(ahead, last.dtype))


def first(candidates: Tensor, dtype: torch.dtype) -> Tensor:
    """One-hot first True of (..., T) bool, all 0 where there is none."""
    return (candidates & (candidates.long().cumsum(-1) == 1)).to(dtype)


def chunkwise(stops: Tensor, energy: Tensor, chunk: int) -> Tensor:
    """β(j) = Σ_k α(k) softmax(u(k-w+1) .. u(k))(j): each stop α(k) spread over the w frames that end in it."""
    energy, frames = functional.pad(energy, (chunk - 1, 0), value=-torch.inf), stops.shape[-1]
    if tracing.exporting():  # ONNX has no unfold of a free size, and a graph cannot ask which is smaller
        windows = torch.stack([energy[..., n : n + frames] for n in range(chunk)], -1)
        padded = functional.pad(stops[..., None] * windows.softmax(-1), (0, 0, 0, chunk - 1))
        return torch.stack([padded[..., chunk - 1 - n : chunk - 1 - n + frames, n] for n in range(chunk)]).sum(0)
    shares = stops[..., None] * energy.unfold(-1, chunk, 1).softmax(-1)  # (B, K, H, T, w): frame k - w + 1 + n at n
    weights = shares[..., -1]
    for back in range(1, min(chunk, frames)):
        weights = weights + functional.pad(shares[..., back:, chunk - 1 - back], (0, back))
    return weights
