"""The Conformer (Gulati et al. 2020): self-attention for what is far, convolution for what is near."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lasasr.listen.convolution import ConvolutionModule
from lasasr.listen.dropout import ByteDropout
from lasasr.listen.feedforward import FeedForward
from lasasr.listen.self_attention import SelfAttention
from lasasr.listen.self_attentive import Positions, SelfAttentiveEncoder, check_heads
from lasasr.listen.stochastic_depth import StochasticDepth
from lasasr.listen.subsampling import By


class ConformerEncoder(SelfAttentiveEncoder):
    """Layers of self-attention and convolution between two halves of a feed-forward network (Gulati et al. 2020, §2).

    Args:
        input_dim: F.
        hidden_dim: D = E.
        layers: >= 1.
        heads: D is a multiple.
        feedforward_dim: inner width of the feed-forward networks.
        kernel_size: encoded frames that a convolution sees, odd.
        subsampling_factor: T / T', rounded up; 2, 3, 4, 6 or 8 by convolution.
        subsampling_by: see `subsampling`.
        channels: of the convolutions that subsample.
        positions: see `SelfAttentiveEncoder`.
        dropout: probability: of what goes into the first layer, of each part before it is added, of inner values.
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
        feedforward_dim: int = 1024,
        kernel_size: int = 31,
        subsampling_factor: int = 4,
        subsampling_by: By = "convolution",
        channels: int = 64,
        positions: Positions = "relative",
        dropout: float = 0.1,
        stochastic_depth: float = 0.0,
        recompute: bool = False,
        intermediate_layers: Sequence[int] = (),
    ) -> None:
        check_heads(hidden_dim, heads)

        def layer(attention: type[SelfAttention], depth: float) -> nn.Module:
            return ConformerLayer(
                attention(hidden_dim, heads), hidden_dim, feedforward_dim, kernel_size, dropout, depth
            )

        super().__init__(
            layer,
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


class ConformerLayer(nn.Module):
    """x + ½ feedforward, + attention, + convolution, + ½ feedforward, each of the normalised sum so far; norm."""

    def __init__(
        self,
        attention: SelfAttention,
        dim: int,
        feedforward_dim: int,
        kernel_size: int,
        dropout: float,
        stochastic_depth: float,
    ) -> None:
        super().__init__()
        self.output_dim = dim
        self.first_norm, self.attention_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.convolution_norm, self.last_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.first = FeedForward(dim, feedforward_dim, dropout, nn.SiLU())
        self.attention = attention
        self.convolution = ConvolutionModule(dim, kernel_size)
        self.last = FeedForward(dim, feedforward_dim, dropout, nn.SiLU())
        self.dropout = ByteDropout(dropout)
        self.depth = StochasticDepth(stochastic_depth)
        self.norm = nn.LayerNorm(dim)

    def forward(self, frames: Tensor, real: Tensor, distances: Tensor | None) -> Tensor:
        """Frames (B, T, D) → (B, T, D); real: (B, T) bool."""
        after = frames + 0.5 * self.dropout(self.first(self.first_norm(frames)))
        after = after + self.dropout(self.attention(self.attention_norm(after), real, distances))
        after = after + self.dropout(self.convolution(self.convolution_norm(after), real))
        after = after + 0.5 * self.dropout(self.last(self.last_norm(after)))
        normalised: Tensor = self.norm(self.depth(frames, after))
        return normalised
