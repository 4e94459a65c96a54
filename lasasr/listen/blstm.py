"""A plain BLSTM that drops frames between layers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn

from lasasr.listen.base import Encoded, Encoder
from lasasr.listen.bilstm import BiLSTM, Lstm
from lasasr.listen.dropout import SequenceDropout
from lasasr.nn import lengths as length
from lasasr.nn.sizes import check_depth


class BLSTMEncoder(Encoder):
    """BLSTM layers with frame skipping between them (Bahdanau et al. 2016; Watanabe et al. 2017).

    Above layer i only the frames 0, n, 2n, ... with n = `subsampling[i]` go on, so T' = ⌈T / n⌉ for each; layers
    beyond the end of `subsampling` keep every frame.

    Args:
        input_dim: F.
        hidden_dim: cells per direction and layer.
        layers: BLSTM layers, >= 1.
        subsampling: factors, from the lowest layer on.
        projection_dim: see `BiLSTM`.
        dropout: probability, after every layer but the last.
        lstm: see `BiLSTM`.

    Raises:
        ValueError: `layers` is below 1, `subsampling` is longer than `layers` or holds a factor below 1.
    """

    def __init__(
        self,
        input_dim: int,
        hidden_dim: int,
        layers: int = 4,
        subsampling: Sequence[int] = (2, 2),
        projection_dim: int = 0,
        dropout: float = 0.0,
        lstm: Lstm = "auto",
    ) -> None:
        super().__init__()
        if layers < 1 or len(subsampling) > layers or any(factor < 1 for factor in subsampling):
            raise ValueError(f"subsampling must be at most layers ({layers}) factors >= 1, got {list(subsampling)}")
        check_depth(layers=layers)
        self.strides = [*subsampling, *[1] * (layers - len(subsampling))]
        self.layers = nn.ModuleList()
        width = input_dim
        for _ in range(layers):
            layer = BiLSTM(width, hidden_dim, projection_dim, lstm)
            self.layers.append(layer)
            width = layer.output_dim
        self.dropout = SequenceDropout(dropout)
        self.input_dim, self.output_dim, self.subsampling_factor = input_dim, width, prod(self.strides)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """⌈... ⌈⌈lengths / n₁⌉ / n₂⌉ ...⌉, which is ⌈lengths / subsampling_factor⌉."""
        return length.ceil_div(lengths, self.subsampling_factor)

    def forward(self, features: Tensor, lengths: Tensor) -> Encoded:
        """Features (B, T, F) and lengths (B,) → encoded (B, ⌈T / subsampling_factor⌉, E)."""
        frames = features.masked_fill(~length.mask(lengths, features.shape[1])[..., None], 0.0)
        for index, (stride, layer) in enumerate(zip(self.strides, self.layers, strict=True)):
            frames = layer(self.dropout(frames) if index else frames, lengths)[:, ::stride]
            lengths = length.ceil_div(lengths, stride)
        return Encoded(frames, lengths)
