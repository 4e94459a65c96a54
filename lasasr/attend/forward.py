"""Forward attention: each step stays at a frame or moves on to the next, and the energy says which frames agree."""

from __future__ import annotations

from typing import NamedTuple, TypeVar, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional

from lasasr.attend.base import Attended
from lasasr.attend.content import ContentMemory
from lasasr.attend.feature import FeatureAttention, FeatureOptions
from lasasr.attend.filters import LocationFilters
from lasasr.attend.location import LocationState
from lasasr.attend.weights import PreviousWeights, at_least_float32

UNREACHABLE = 1e-30  # a path of less weight counts as none: the derivative of its logarithm would overflow
S = TypeVar("S")


class PathAttention(FeatureAttention[S]):
    """α_t(j) ∝ max(path(j), floor) · ŷ_t(j): ŷ the weights of `location`, path(j) the weight that can flow into j.

    Args:
        floor: least weight of a path. The paper's 0 moves at most one frame per token, which suits speech synthesis;
            an utterance has more encoded frames than tokens, and a floor lets the energy jump (ESPnet clamps at 1e-6).
        filters, kernel_size, alpha_0, detach: see `LocationAttention`.
        options: `dim`, `values`, `scale`, `weights`, `top_k` (see `FeatureAttention`).
    """

    def __init__(
        self,
        *,
        encoded_dim: int,
        query_dim: int,
        filters: int = 10,
        kernel_size: int = 201,
        floor: float = 1e-6,
        alpha_0: str = "first",
        detach: bool = False,
        **options: Unpack[FeatureOptions],
    ) -> None:
        super().__init__(encoded_dim=encoded_dim, query_dim=query_dim, features=filters, **options)
        self.floor = floor
        self.previous = PreviousWeights(alpha_0, detach)
        self.location = LocationFilters(filters, [kernel_size] * self.heads)

    def follow(self, query: Tensor, memory: ContentMemory, previous: Tensor, paths: Tensor) -> tuple[Tensor, Tensor]:
        """Context (B, K, C) and weights (B, K, H, T), given α_{t-1} and the weight of the paths into each frame."""
        energy = self.energy(query, memory.keys, self.location(previous[..., None, :]))
        reachable = paths > UNREACHABLE if self.floor < UNREACHABLE else memory.mask[:, None, None]
        scores = self.weigh.scores(energy, reachable & memory.mask[:, None, None])
        weights = (scores + paths.clamp(min=max(self.floor, UNREACHABLE)).log()).softmax(-1)
        return self.values(weights, memory.values), weights


class ForwardAttention(PathAttention[LocationState]):
    """α_t(j) ∝ max(α_{t-1}(j) + α_{t-1}(j-1), floor) · ŷ_t(j), ŷ as `location` (Zhang et al. 2018, §3.1)."""

    def initial(self, memory: ContentMemory, hypotheses: int) -> LocationState:
        """α_0."""
        return LocationState(self.previous.start(memory.mask, hypotheses, self.heads, memory.keys.dtype))

    def forward(self, query: Tensor, memory: ContentMemory, state: LocationState) -> Attended[LocationState]:
        """Attend with query (B, K, Q)."""
        previous = self.previous.differentiable(state.weights)
        context, weights = self.follow(query, memory, previous, previous + moved(previous))
        return Attended(context, weights, LocationState(weights))


class AgentState(NamedTuple):
    """The last weights of each hypothesis, and how likely it is to move on."""

    weights: Tensor  # (B, K, H, T)
    move: Tensor  # u (B, K, H, 1), at least float32


class ForwardAgentAttention(PathAttention[AgentState]):
    """α_t(j) ∝ max((1-u_{t-1}) α_{t-1}(j) + u_{t-1} α_{t-1}(j-1), floor) · ŷ_t(j), u_t = σ(W[c_t; q_t] + b), u_0 = ½.

    Zhang et al. 2018, §3.2. The paper's transition agent u also reads the last output, which is part of the query here.
    """

    def __init__(
        self,
        *,
        encoded_dim: int,
        query_dim: int,
        filters: int = 10,
        kernel_size: int = 201,
        floor: float = 1e-6,
        alpha_0: str = "first",
        detach: bool = False,
        **options: Unpack[FeatureOptions],
    ) -> None:
        super().__init__(
            encoded_dim=encoded_dim,
            query_dim=query_dim,
            filters=filters,
            kernel_size=kernel_size,
            floor=floor,
            alpha_0=alpha_0,
            detach=detach,
            **options,
        )
        self.agent = nn.Linear(self.context_dim + query_dim, self.heads)

    def initial(self, memory: ContentMemory, hypotheses: int) -> AgentState:
        """α_0, and as likely to move as to stay."""
        weights = self.previous.start(memory.mask, hypotheses, self.heads, memory.keys.dtype)
        return AgentState(weights, torch.full_like(weights[..., :1], 0.5).contiguous())

    def forward(self, query: Tensor, memory: ContentMemory, state: AgentState) -> Attended[AgentState]:
        """Attend with query (B, K, Q)."""
        previous = self.previous.differentiable(state.weights)
        paths = (1 - state.move) * previous + state.move * moved(previous)
        context, weights = self.follow(query, memory, previous, paths)
        move = at_least_float32(self.agent(torch.cat([context, query.to(context.dtype)], -1))).sigmoid()
        return Attended(context, weights, AgentState(weights, move[..., None]))


def moved(weights: Tensor) -> Tensor:
    """Weights (..., T) one frame later: α(j-1), 0 at the first frame."""
    return functional.pad(weights[..., :-1], (1, 0))
