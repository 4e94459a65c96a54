"""Convolutions after VGG, then BLSTM layers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from lasasr.listen.base import Encoded, Encoder
from lasasr.listen.bilstm import BiLSTM, Lstm
from lasasr.listen.dropout import SequenceDropout
from lasasr.nn import lengths as length
from lasasr.nn.sizes import check_depth


class ConvBLSTMEncoder(Encoder):
    """VGG blocks and BLSTM layers (Hori et al. 2017).

    A block is two 3 × 3 convolutions with ReLU over time and frequency and a 2 × 2 max-pool that keeps an odd last
    frame, so T' = ⌈T / 2^blocks⌉. Padding is set to zero again after every convolution, or it would leak into the
    last frames of the shorter utterances. There is no normalisation over the batch.

    Args:
        input_dim: F.
        hidden_dim: cells per direction and layer.
        layers: BLSTM layers, >= 1.
        channels: of each block.
        projection_dim: see `BiLSTM`.
        dropout: probability, after every BLSTM layer but the last.
        lstm: see `BiLSTM`.

    Raises:
        ValueError: `layers` is below 1 or a number of channels is.
    """

    def __init__(
        self,
        input_dim: int,
        hidden_dim: int,
        layers: int = 4,
        channels: Sequence[int] = (64, 128),
        projection_dim: int = 0,
        dropout: float = 0.0,
        lstm: Lstm = "auto",
    ) -> None:
        super().__init__()
        if layers < 1 or any(count < 1 for count in channels):
            raise ValueError(f"layers and channels must be >= 1, got {layers} and {list(channels)}")
        check_depth(layers=layers)
        self.blocks = nn.ModuleList(
            VGGBlock(below, above) for below, above in zip([1, *channels], channels, strict=False)
        )
        self.subsampling_factor = 2 ** len(channels)
        width = [1, *channels][-1] * -(-input_dim // self.subsampling_factor)
        self.layers = nn.ModuleList()
        for _ in range(layers):
            layer = BiLSTM(width, hidden_dim, projection_dim, lstm)
            self.layers.append(layer)
            width = layer.output_dim
        self.dropout = SequenceDropout(dropout)
        self.input_dim, self.output_dim = input_dim, width

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """⌈lengths / subsampling_factor⌉."""
        return length.ceil_div(lengths, self.subsampling_factor)

    def forward(self, features: Tensor, lengths: Tensor) -> Encoded:
        """Features (B, T, F) and lengths (B,) → encoded (B, ⌈T / subsampling_factor⌉, E)."""
        images = features.masked_fill(~length.mask(lengths, features.shape[1])[..., None], 0.0)[:, None]
        for block in self.blocks:
            images, lengths = block(images, lengths)
        frames = images.transpose(1, 2).flatten(2)
        for index, layer in enumerate(self.layers):
            frames = layer(self.dropout(frames) if index else frames, lengths)
        return Encoded(frames, lengths)


class VGGBlock(nn.Module):
    """Images (B, C, T, F), 0 on padding → (B, C', ⌈T / 2⌉, ⌈F / 2⌉), 0 on padding, with their lengths."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1)
        self.second = nn.Conv2d(channels_out, channels_out, kernel_size=3, padding=1)

    def forward(self, images: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        real = length.mask(lengths, images.shape[2])[:, None, :, None]
        for convolution in (self.first, self.second):
            images = functional.relu(convolution(images)) * real.to(images.dtype)
        # after ReLU, a padding of zeros within a pool changes no maximum
        return functional.max_pool2d(images, 2, ceil_mode=True), length.ceil_div(lengths, 2)
