"""What Transformer and Conformer share: subsampling, positions, then layers that all frames pass at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lasasr.listen import positions as encodings
from lasasr.listen.base import Encoded, Encoder
from lasasr.listen.dropout import ByteDropout
from lasasr.listen.self_attention import RelativeSelfAttention, SelfAttention
from lasasr.listen.subsampling import By, subsampling
from lasasr.nn import lengths as length
from lasasr.nn import tracing

Positions = Literal["sinusoidal", "relative"]
Layer = Callable[[type[SelfAttention], float], nn.Module]  # kind of attention, stochastic depth → layer


class SelfAttentiveEncoder(Encoder):
    """Subsampled frames · √D, with sinusoidal positions added or relative ones known to the layers; dropout; layers.

    A layer is called with frames (B, T', D), real frames (B, T') bool and the encodings of distances (2T', D) or None;
    padding may hold anything finite before it and after it.

    Args:
        layer: makes one.
        input_dim: F.
        hidden_dim: D.
        layers: how many, >= 1.
        subsampling_factor: T / T', rounded up.
        subsampling_by: "convolution" or "stacking".
        channels: of the convolutions.
        positions: "sinusoidal" (Vaswani et al. 2017, §3.5) or "relative" (Dai et al. 2019, §3.3).
        dropout: probability, of the frames that go into the first layer.
        stochastic_depth: probability that an utterance passes the last layer by; layer l of L has l / L of it.
        recompute: keep only what goes into each layer, and run it once more in the backward pass (Chen et al. 2016).
        intermediate_layers: numbers of layers, from 1, whose outputs a loss with intermediate CTC reads too.

    Raises:
        ValueError: a size below 1, an unknown `subsampling_by` or `positions`, or no such layer below the last.
    """

    self_attentive = True

    def __init__(
        self,
        layer: Layer,
        *,
        input_dim: int,
        hidden_dim: int,
        layers: int,
        subsampling_factor: int,
        subsampling_by: By,
        channels: int,
        positions: Positions,
        dropout: float,
        stochastic_depth: float,
        recompute: bool,
        intermediate_layers: Sequence[int] = (),
    ) -> None:
        super().__init__()
        if layers < 1:
            raise ValueError(f"layers must be >= 1, got {layers}")
        if positions not in get_args(Positions):
            raise ValueError(f"positions must be one of {', '.join(get_args(Positions))}, got {positions!r}")
        self.intermediate_layers = tuple(intermediate_layers)
        if sorted({*self.intermediate_layers} & {*range(1, layers)}) != sorted(self.intermediate_layers):
            raise ValueError(
                f"intermediate_layers must be different numbers from 1 to layers - 1 = {layers - 1}, "
                f"got {list(intermediate_layers)}"
            )
        self.relative, self.recompute = positions == "relative", recompute
        self.subsampling = subsampling(subsampling_by, input_dim, hidden_dim, subsampling_factor, channels)
        self.dropout = ByteDropout(dropout)
        attention = RelativeSelfAttention if self.relative else SelfAttention
        self.layers = nn.ModuleList(layer(attention, stochastic_depth * (n + 1) / layers) for n in range(layers))
        self.input_dim, self.output_dim, self.subsampling_factor = input_dim, hidden_dim, subsampling_factor

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """⌈lengths / subsampling_factor⌉."""
        return length.ceil_div(lengths, self.subsampling_factor)

    def forward(self, features: Tensor, lengths: Tensor) -> Encoded:
        """Features (B, T, F) and lengths (B,) → encoded (B, ⌈T / subsampling_factor⌉, E)."""
        frames, lengths = self.subsampling(features, lengths)
        frames = frames.to(features.dtype) * math.sqrt(frames.shape[2])  # autocast: sums over layers stay float32
        real = length.mask(lengths, frames.shape[1])
        distances = encodings.distances(frames).to(frames.dtype) if self.relative else None
        if not self.relative:
            frames = frames + encodings.absolute(frames)
        frames = self.dropout(frames)
        for layer in self.layers:
            frames = self._passed(layer, frames, real, distances)
        return Encoded(self.normalised(frames).masked_fill(~real[..., None], 0.0), lengths)

    @property
    def intermediate(self) -> Sequence[nn.Module]:
        """See the contract."""
        return [self.layers[number - 1] for number in self.intermediate_layers]

    def normalised(self, frames: Tensor) -> Tensor:
        """What is done to each frame (B, T', D) after the last layer."""
        return frames

    def _passed(self, layer: nn.Module, frames: Tensor, real: Tensor, distances: Tensor | None) -> Tensor:
        passed: Tensor
        if self.recompute and torch.is_grad_enabled() and not tracing.active():
            passed = checkpoint(layer, frames, real, distances, use_reentrant=False)
        else:
            passed = layer(frames, real, distances)
        return passed


def check_heads(hidden_dim: int, heads: int) -> None:
    """Refuse a width that the heads cannot share.

    Raises:
        ValueError: `hidden_dim` is no multiple of `heads`.
    """
    if heads < 1 or hidden_dim < 1 or hidden_dim % heads:
        raise ValueError(f"hidden_dim must be a multiple of heads, got {hidden_dim} and {heads}")
