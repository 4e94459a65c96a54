"""Padding masks and length arithmetic: the only place where a length is divided.

Lengths are absolute, int64, of shape (B,). A mask is True on real frames. Lengths lie where the frames lie; what is
divided here is divided by the host too, where it has the lengths (`host_mirror.py`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lasasr.nn import host_mirror, tracing


def mask(lengths: Tensor, longest: int | None = None) -> Tensor:
    """Boolean mask (B, T), True where t < lengths[b].

    Args:
        lengths: (B,) int64.
        longest: T; by default the largest length (which reads it back from the device: pass it on CUDA).
    """
    total = int(lengths.max()) if longest is None else longest
    return torch.arange(total, device=lengths.device)[None, :] < lengths[:, None]


@host_mirror.mirrored
def ceil_div(lengths: Tensor, factor: int | Tensor) -> Tensor:
    """⌈lengths / factor⌉: frames left when each group of `factor` frames, the last one padded, becomes one."""
    return torch.div(lengths + (factor - 1), factor, rounding_mode="floor")


@host_mirror.mirrored
def convolved(lengths: Tensor, kernel_size: int, stride: int, padding: int, least: int = 0) -> Tensor:
    """Frames a convolution (or floor-mode pooling) produces, but at least `least`.

    ⌊(length + 2·padding − kernel_size) / stride⌋ + 1
    """
    produced = torch.div(lengths + 2 * padding - kernel_size, stride, rounding_mode="floor") + 1
    return produced.clamp(min=least)


def reverse(values: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each sequence of (B, T, ...) within its own length; padding stays where it is. Its own inverse."""
    batch, longest = values.shape[:2]
    steps = torch.arange(longest, device=values.device)[None, :]
    index = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    rows = index + longest * torch.arange(batch, device=values.device)[:, None]
    flat, order = values.flatten(0, 1), rows.flatten()
    moved: Tensor = flat.index_select(0, order) if tracing.active() else _Involution.apply(flat, order)
    return moved.view_as(values)


class _Involution(torch.autograd.Function):
    """Rows (N, ...) taken by an order (N,) that is its own inverse, and so its own gradient too."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return rows.index_select(0, order)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (order,) = ctx.saved_tensors
        return _Involution.apply(gradient, order), None


def ctc_frames_needed(tokens: Tensor, lengths: Tensor) -> Tensor:
    """Frames (B,) below which CTC has no path: U plus one blank between equal neighbours (Graves et al. 2006, §3).

    Args:
        tokens: (B, U) int64, anything after lengths[b].
        lengths: (B,) int64.
    """
    repeated = (tokens[:, 1:] == tokens[:, :-1]) & mask(lengths - 1, max(tokens.shape[1] - 1, 0))
    return lengths + repeated.sum(1)
