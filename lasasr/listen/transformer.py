"""The Transformer's encoder (Vaswani et al. 2017), normalised before each half of a layer."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lasasr.listen.dropout import ByteDropout
from lasasr.listen.feedforward import FeedForward
from lasasr.listen.self_attention import SelfAttention
from lasasr.listen.self_attentive import Positions, SelfAttentiveEncoder, check_heads
from lasasr.listen.stochastic_depth import StochasticDepth
from lasasr.listen.subsampling import By


class TransformerEncoder(SelfAttentiveEncoder):
    """Layers of self-attention and two linear layers with ReLU, then a last normalisation (Vaswani et al. 2017, §3.1).

    Normalisation stands before each half (Xiong et al. 2020), which needs less warm-up. For speech: Dong et al. 2018.

    Args:
        input_dim: F.
        hidden_dim: D = E.
        layers: >= 1.
        heads: D is a multiple.
        feedforward_dim: inner width of the linear layers.
        subsampling_factor: T / T', rounded up; 2, 3, 4, 6 or 8 by convolution.
        subsampling_by: see `subsampling`.
        channels: of the convolutions that subsample.
        positions: see `SelfAttentiveEncoder`.
        dropout: probability: of what goes into the first layer, of each half before it is added, of inner values.
        stochastic_depth: see `SelfAttentiveEncoder`.
        recompute: less memory for one more forward pass; the same values.
        intermediate_layers: see `SelfAttentiveEncoder`.

    Raises:
        ValueError: a size or name that makes no sense; the message has it.
    """

    def __init__(
        self,
        input_dim: int,
        hidden_dim: int,
        layers: int = 12,
        heads: int = 4,
        feedforward_dim: int = 2048,
        subsampling_factor: int = 4,
        subsampling_by: By = "convolution",
        channels: int = 64,
        positions: Positions = "sinusoidal",
        dropout: float = 0.1,
        stochastic_depth: float = 0.0,
        recompute: bool = False,
        intermediate_layers: Sequence[int] = (),
    ) -> None:
        check_heads(hidden_dim, heads)
        super().__init__(
            lambda attention, depth: TransformerLayer(
                attention(hidden_dim, heads), hidden_dim, feedforward_dim, dropout, depth
            ),
            input_dim=input_dim,
            hidden_dim=hidden_dim,
            layers=layers,
            subsampling_factor=subsampling_factor,
            subsampling_by=subsampling_by,
            channels=channels,
            positions=positions,
            dropout=dropout,
            stochastic_depth=stochastic_depth,
            recompute=recompute,
            intermediate_layers=intermediate_layers,
        )
        self.norm = nn.LayerNorm(hidden_dim)

    def normalised(self, frames: Tensor) -> Tensor:
        """Layers that are normalised at their inputs leave their sum as large as it has grown."""
        normalised: Tensor = self.norm(frames)
        return normalised


class TransformerLayer(nn.Module):
    """x + attention(norm x), then x + feedforward(norm x)."""

    def __init__(
        self, attention: SelfAttention, dim: int, feedforward_dim: int, dropout: float, stochastic_depth: float
    ) -> None:
        super().__init__()
        self.output_dim = dim
        self.attention_norm, self.feedforward_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = attention
        self.feedforward = FeedForward(dim, feedforward_dim, dropout, nn.ReLU())
        self.dropout = ByteDropout(dropout)
        self.depth = StochasticDepth(stochastic_depth)

    def forward(self, frames: Tensor, real: Tensor, distances: Tensor | None) -> Tensor:
        """Frames (B, T, D) → (B, T, D); real: (B, T) bool."""
        after = frames + self.dropout(self.attention(self.attention_norm(frames), real, distances))
        after = after + self.dropout(self.feedforward(self.feedforward_norm(after)))
        passed: Tensor = self.depth(frames, after)
        return passed
