"""One bidirectional LSTM layer that respects lengths exactly, fast on every device."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from lasasr.listen.packing import pack, packing, unpack
from lasasr.listen.padded_lstm import PaddedLSTM
from lasasr.nn import lengths as length
from lasasr.nn import tracing
from lasasr.nn.sizes import check_widths

Lstm = Literal["auto", "padded", "packed", "recomputed"]


class BiLSTM(nn.Module):
    """Frames (B, T, D) → (B, T, output_dim), exactly 0 on padding.

    A module of one's own in place of `lstm` (a wrapped one, say) is called as torch calls `nn.LSTM`: with a
    `PackedSequence`, to return a pair that begins with a `PackedSequence`. Hooks and parametrisations of `lstm` itself
    hold for every implementation.

    Args:
        input_dim: D.
        hidden_dim: cells per direction.
        projection_dim: width of a linear layer and tanh above both directions; 0: none, output_dim = 2 · hidden_dim.
        lstm: "packed" hands torch a `PackedSequence` of the real frames alone. "padded" runs over the padded batch
            (`PaddedLSTM`). Both hold the same parameters and agree to rounding; packed sequences leave oneDNN's LSTM
            and are some 20 times slower on a CPU. "recomputed" is padded for half the memory and more time. "auto" is
            padded on the CPU, packed elsewhere. While torch exports, all are padded.

    Raises:
        ValueError: a size is below 1 (projection_dim below 0), or `lstm` is unknown.
    """

    def __init__(self, input_dim: int, hidden_dim: int, projection_dim: int = 0, lstm: Lstm = "auto") -> None:
        super().__init__()
        if lstm not in get_args(Lstm):
            raise ValueError(f"lstm must be one of {', '.join(get_args(Lstm))}, got {lstm!r}")
        if hidden_dim < 1 or projection_dim < 0:
            raise ValueError(f"hidden_dim must be >= 1 and projection_dim >= 0, got {hidden_dim} and {projection_dim}")
        check_widths(hidden_dim=hidden_dim, projection_dim=projection_dim or None)
        self.lstm = PaddedLSTM(input_dim, hidden_dim, recompute=lstm == "recomputed")
        self.projection = nn.Linear(2 * hidden_dim, projection_dim) if projection_dim else None
        self.implementation = lstm
        self.output_dim = projection_dim or 2 * hidden_dim

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Args: frames (B, T, D), padding may hold anything finite; lengths (B,) int64, 1 <= lengths <= T."""
        output = self._packed(frames, lengths) if self._packs(frames) else self.lstm(frames, lengths)
        if self.projection is not None:
            output = torch.tanh(self.projection(output))
        real = length.mask(lengths, frames.shape[1])
        return output * real[..., None].to(output.dtype)

    def _packs(self, frames: Tensor) -> bool:
        if not isinstance(self.lstm, PaddedLSTM):
            return True
        packed = self.implementation == "packed" or (self.implementation == "auto" and frames.device.type != "cpu")
        return packed and not tracing.active()

    def _packed(self, frames: Tensor, lengths: Tensor) -> Tensor:
        order = packing(lengths, frames.shape[1])
        output: PackedSequence = self.lstm(PackedSequence(pack(frames, order), order.sizes))[0]
        return unpack(output.data, order, len(frames))
