"""Fewer frames at the input of an encoder: strided convolutions, or concatenation."""

from __future__ import annotations

from typing import Final, Literal, get_args

from torch import Tensor, nn

from lasasr.listen.stacking import stack_frames
from lasasr.listen.strided_pair import convolved_twice, rectified
from lasasr.nn import lengths as length

By = Literal["convolution", "stacking"]
STRIDES: Final = {2: (2,), 3: (3,), 4: (2, 2), 6: (2, 3), 8: (2, 2, 2)}  # of the layers, by factor


def subsampling(by: By, input_dim: int, dim: int, factor: int, channels: int) -> nn.Module:
    """Features (B, T, F) and lengths (B,) → frames (B, ⌈T / factor⌉, D), anything finite on padding, and lengths.

    Args:
        by: "convolution" or "stacking".
        input_dim: F.
        dim: D.
        factor: T / T', rounded up.
        channels: of the convolutions.

    Raises:
        ValueError: `by` is unknown, or the factor is not one that it can make.
    """
    if by not in get_args(By):
        raise ValueError(f"subsampling_by must be one of {', '.join(get_args(By))}, got {by!r}")
    if by == "stacking":
        return Stacking(input_dim, dim, factor)
    return ConvolutionalSubsampling(input_dim, dim, factor, channels)


class Stacking(nn.Module):
    """Every `factor` successive frames become one, by one linear layer; the last is completed with zeros."""

    def __init__(self, input_dim: int, dim: int, factor: int) -> None:
        super().__init__()
        if factor < 1:
            raise ValueError(f"subsampling_factor must be >= 1, got {factor}")
        self.factor = factor
        self.project = nn.Linear(factor * input_dim, dim)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        real = length.mask(lengths, features.shape[1])[..., None]
        stacked = stack_frames(features.masked_fill(~real, 0.0), self.factor)
        return self.project(stacked), length.ceil_div(lengths, self.factor)


class ConvolutionalSubsampling(nn.Module):
    """Strided convolutions over time and frequency with ReLU, then a linear layer (Dong et al. 2018, §3.2).

    A layer of stride s has kernels of 2s − 1 and s − 1 zeros at each edge, so that it makes ⌈T / s⌉ frames; padding is
    set to the same zeros before each.
    """

    def __init__(self, input_dim: int, dim: int, factor: int, channels: int) -> None:
        super().__init__()
        if factor not in STRIDES:
            of = ", ".join(map(str, STRIDES))
            raise ValueError(
                f"subsampling_factor must be one of {of} by convolution (or any by stacking), got {factor}"
            )
        if channels < 1:
            raise ValueError(f"channels must be >= 1, got {channels}")
        self.strides = STRIDES[factor]
        inputs = [1, *[channels] * (len(self.strides) - 1)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(below, channels, 2 * stride - 1, stride, stride - 1)
            for below, stride in zip(inputs, self.strides, strict=True)
        )
        self.project = nn.Linear(channels * -(-input_dim // factor), dim)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        images = features[:, None].masked_fill(~length.mask(lengths, features.shape[1])[:, None, :, None], 0.0)
        lengths = length.ceil_div(lengths, self.strides[0])
        first, *others = self.convolutions
        if others:
            images = convolved_twice(images, lengths, first, others[0])
            lengths = length.ceil_div(lengths, self.strides[1])
        else:
            images = first(images)
        for stride, convolution in zip(self.strides[2:], others[1:], strict=True):
            images = convolution(rectified(images, length.mask(lengths, images.shape[2])[:, None, :, None]))
            lengths = length.ceil_div(lengths, stride)
        frames = images.transpose(1, 2).flatten(2)  # before ReLU, so that one tensor is kept for it and for the product
        return self.project(rectified(frames, length.mask(lengths, frames.shape[1])[..., None])), lengths
