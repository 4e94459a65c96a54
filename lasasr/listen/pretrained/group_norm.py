"""A group norm over time whose statistics leave padding out."""

from __future__ import annotations

from torch import Tensor, nn

from lasasr.nn import lengths as length


def masked_group_norm(norm: nn.GroupNorm, frames: Tensor, lengths: Tensor) -> Tensor:
    """What `norm`, with one group per channel, makes of each utterance alone.

    Args:
        frames: (B, C, T), anything finite on padding.
        lengths: (B,) int64.

    Raises:
        ValueError: a group holds several channels.
    """
    if norm.num_groups != norm.num_channels:
        raise ValueError(f"a group norm of {norm.num_groups} groups on {norm.num_channels} channels is not known")
    real = length.mask(lengths, frames.shape[2])[:, None]
    count = lengths[:, None, None]
    centred = (frames - (frames * real).sum(2, keepdim=True) / count) * real
    variance = centred.square().sum(2, keepdim=True) / count
    normalised: Tensor = centred * (variance + norm.eps).rsqrt() * norm.weight[:, None] + norm.bias[:, None]
    return normalised
