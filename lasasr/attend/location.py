"""Location-aware attention: the energy reads features that a convolution computes from the last weights."""

from __future__ import annotations

from typing import NamedTuple, Unpack

import torch
from torch import Tensor, nn

from lasasr.attend.base import Attended
from lasasr.attend.content import ContentMemory
from lasasr.attend.feature import FeatureAttention, FeatureOptions
from lasasr.attend.filters import LocationFilters, kernel_sizes
from lasasr.attend.weights import PreviousWeights


class LocationState(NamedTuple):
    """The last weights of each hypothesis."""

    weights: Tensor  # (B, K, H, T)


class LocationAttention(FeatureAttention[LocationState]):
    """f = conv1d(α_{t-1}); e = vᵀ tanh(W_k h + b + W_q q + W_f f) (Chorowski et al. 2015, eq. 8 and 9).

    Args:
        filters: F per head.
        kernel_size: frames under a filter, odd.
        multires: head h = 1..H has half the kernel's width times h/H (ESPnet).
        alpha_0, detach, half_window: see `PreviousWeights`.
        options: `dim`, `heads`, `values`, `value_dim`, `scale`, `weights`, `top_k` (see `FeatureAttention`).
    """

    def __init__(
        self,
        *,
        encoded_dim: int,
        query_dim: int,
        filters: int = 10,
        kernel_size: int = 201,
        multires: bool = False,
        alpha_0: str = "uniform",
        detach: bool = False,
        half_window: int = 0,
        **options: Unpack[FeatureOptions],
    ) -> None:
        super().__init__(encoded_dim=encoded_dim, query_dim=query_dim, features=filters, **options)
        self.previous = PreviousWeights(alpha_0, detach, half_window)
        self.location = LocationFilters(filters, kernel_sizes(kernel_size, self.heads, multires))

    def initial(self, memory: ContentMemory, hypotheses: int) -> LocationState:
        """α_0."""
        return LocationState(self.previous.start(memory.mask, hypotheses, self.heads, memory.keys.dtype))

    def forward(self, query: Tensor, memory: ContentMemory, state: LocationState) -> Attended[LocationState]:
        """Attend with query (B, K, Q)."""
        features = self.location(self.previous.differentiable(state.weights)[..., None, :])
        mask = self.previous.mask(state.weights, memory.mask)
        context, weights = self.attend(query, memory, features, mask)
        return Attended(context, weights, LocationState(weights))


class HistoryState(NamedTuple):
    """The weights of the last N steps of each hypothesis, the newest last."""

    history: Tensor  # (B, K, H, N, T)


class Location2dAttention(FeatureAttention[HistoryState]):
    """f = conv over α_{t-N} .. α_{t-1} at once, then as `location` (ESPnet, `location2d`).

    Args:
        history: N, earlier steps whose weights are read.
        Others: see `LocationAttention`.
    """

    def __init__(
        self,
        *,
        encoded_dim: int,
        query_dim: int,
        filters: int = 10,
        kernel_size: int = 201,
        history: int = 5,
        alpha_0: str = "uniform",
        detach: bool = False,
        half_window: int = 0,
        **options: Unpack[FeatureOptions],
    ) -> None:
        super().__init__(encoded_dim=encoded_dim, query_dim=query_dim, features=filters, **options)
        self.history = history
        self.previous = PreviousWeights(alpha_0, detach, half_window)
        self.location = LocationFilters(filters, [kernel_size] * self.heads, channels=history)

    def initial(self, memory: ContentMemory, hypotheses: int) -> HistoryState:
        """α_0, N times."""
        start = self.previous.start(memory.mask, hypotheses, self.heads, memory.keys.dtype)
        return HistoryState(start[..., None, :].repeat(1, 1, 1, self.history, 1))

    def forward(self, query: Tensor, memory: ContentMemory, state: HistoryState) -> Attended[HistoryState]:
        """Attend with query (B, K, Q)."""
        features = self.location(self.previous.differentiable(state.history))
        mask = self.previous.mask(state.history[..., -1, :], memory.mask)
        context, weights = self.attend(query, memory, features, mask)
        history = torch.cat([state.history[..., 1:, :], weights[..., None, :]], dim=-2)
        return Attended(context, weights, HistoryState(history))


class RecurrentState(NamedTuple):
    """The last weights of each hypothesis, and the LSTM's state, which summarises the earlier ones."""

    weights: Tensor  # (B, K, H, T)
    hidden: Tensor  # (B, K, R)
    cell: Tensor  # (B, K, R)


class LocationRecurrentAttention(FeatureAttention[RecurrentState]):
    """r_t = LSTM(max_j relu(f_j), r_{t-1}); e = vᵀ tanh(W_k h + b + W_q q + W_r r_t + W_f f).

    ESPnet's `location_recurrent` pools the time axis away and keeps only W_r r_t, which is the same for every frame;
    here the per-frame term W_f f stays beside it.

    Args:
        recurrent_dim: R, width of the LSTM.
        Others: see `LocationAttention`; there is no window.
    """

    def __init__(
        self,
        *,
        encoded_dim: int,
        query_dim: int,
        filters: int = 10,
        kernel_size: int = 201,
        recurrent_dim: int = 128,
        alpha_0: str = "uniform",
        detach: bool = False,
        **options: Unpack[FeatureOptions],
    ) -> None:
        # W_q and W_r stand side by side: the energy reads [q; r_t]
        joint_dim = query_dim + recurrent_dim
        super().__init__(encoded_dim=encoded_dim, query_dim=joint_dim, features=filters, **options)
        self.previous = PreviousWeights(alpha_0, detach)
        self.location = LocationFilters(filters, [kernel_size] * self.heads)
        self.recurrent_dim = recurrent_dim
        self.recurrent = nn.LSTMCell(filters * self.heads, recurrent_dim)

    def initial(self, memory: ContentMemory, hypotheses: int) -> RecurrentState:
        """α_0 and an LSTM state of zeros."""
        start = self.previous.start(memory.mask, hypotheses, self.heads, memory.keys.dtype)
        zeros = memory.keys.new_zeros(start.shape[0], hypotheses, self.recurrent_dim)
        return RecurrentState(start, zeros, torch.zeros_like(zeros))

    def forward(self, query: Tensor, memory: ContentMemory, state: RecurrentState) -> Attended[RecurrentState]:
        """Attend with query (B, K, Q)."""
        features = self.location(self.previous.differentiable(state.weights)[..., None, :])
        pooled = (
            torch.where(memory.mask[:, None, None, :, None], features.relu(), 0.0).amax(3).flatten(2)
        )  # (B, K, H·F)
        before = state.hidden.flatten(0, 1), state.cell.flatten(0, 1)
        hidden, cell = self.recurrent(pooled.flatten(2).flatten(0, 1), before)
        hidden, cell = hidden.view_as(state.hidden), cell.view_as(state.cell)
        context, weights = self.attend(torch.cat([query, hidden], -1), memory, features, memory.mask)
        return Attended(context, weights, RecurrentState(weights, hidden, cell))
