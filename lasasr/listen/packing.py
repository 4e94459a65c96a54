"""Real frames alone, in the order in which cuDNN reads a batch; packing and unpacking are one gather each."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lasasr.nn import host_mirror


class Packing(NamedTuple):
    """The order of `torch.nn.utils.rnn.PackedSequence`: frame by frame, the longest utterance first."""

    cells: Tensor  # (N,) where in (B · T) a packed frame lies
    positions: Tensor  # (B · T,) where in (N + 1) a frame lies; N, a frame of zeros, for padding
    sizes: Tensor  # (longest,) on the CPU: utterances that have this frame


def packing(lengths: Tensor, frames: int) -> Packing:
    """How (B, T) frames of `lengths` (B,) are packed; without a wait where the host has the lengths.

    torch's own `pack_padded_sequence` sorts on the CPU and waits for both copies of the order; its gradient is copied
    frame by frame.
    """
    host_lengths = host_mirror.on_host(lengths)
    sizes = (host_lengths > torch.arange(int(host_lengths.max()))[:, None]).sum(1)
    total = int(host_lengths.sum())
    order = lengths.argsort(descending=True, stable=True)
    time = torch.arange(frames, device=lengths.device)[:, None]
    cells = (order * frames + time).flatten()  # of the sorted utterances, frame by frame
    real = (time < lengths[order]).flatten()
    positions = torch.where(real, real.cumsum(0) - 1, total)
    packed = positions.new_empty(total + 1).scatter_(0, positions, cells)[:total]
    return Packing(packed, torch.empty_like(positions).scatter_(0, cells, positions), sizes)


def pack(frames: Tensor, order: Packing) -> Tensor:
    """Frames (B, T, D) → the real ones (N, D)."""
    packed: Tensor = _Pack.apply(frames.flatten(0, 1), order)
    return packed


def unpack(packed: Tensor, order: Packing, batch: int) -> Tensor:
    """Packed frames (N, D) → (B, T, D), 0 on padding."""
    rows: Tensor = _Unpack.apply(packed, order)
    return rows.view(batch, -1, packed.shape[1])


class _Pack(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, order: Packing) -> Tensor:
        ctx.order = order
        return rows.index_select(0, order.cells)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Unpack.apply(gradient, ctx.order), None


class _Unpack(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, packed: Tensor, order: Packing) -> Tensor:
        ctx.order = order
        return functional.pad(packed, (0, 0, 0, 1)).index_select(0, order.positions)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Pack.apply(gradient, ctx.order), None
