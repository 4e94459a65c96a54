"""torch's LSTM in the precision that autocast asks for, on every device."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence


class LSTM(nn.LSTM):
    """`nn.LSTM`; under autocast its products, output and state have autocast's dtype.

    On a GPU, torch's own autocast casts what cuDNN's LSTM reads to float16, whatever dtype it was given
    (`_cudnn_rnn_cast_reflatten`, torch 2.11 to 2.14). So bfloat16 would silently become float16, whose gradients need
    a scaler that bfloat16 has not, and what reads the output with bfloat16 weights would fail.

    On a CPU autocast gives an LSTM to oneDNN, which has none in some dtypes: in bfloat16 where its instructions end at
    AVX2, in float16 on most. torch's own code computes in all of them.
    """

    def forward(self, input: Any, hx: Any = None) -> Any:
        """As `nn.LSTM`: a tensor or a `PackedSequence`, and perhaps a state → output and state."""
        frames: Tensor = input.data if isinstance(input, PackedSequence) else input
        kind = frames.device.type
        if not torch.is_autocast_enabled(kind) or self.proj_size:
            return super().forward(input, hx)
        dtype = torch.get_autocast_dtype(kind)
        if kind == "cpu" and onednn_computes(dtype):
            return super().forward(input, hx)
        with torch.autocast(kind, enabled=False):
            return self.computed_in(dtype, input, hx)

    def computed_in(self, dtype: torch.dtype, input: Any, hx: Any = None) -> Any:
        """`forward` with everything cast to `dtype`, for frames (B, T, D), (T, B, D) or a `PackedSequence`."""
        weights = in_one_piece([getattr(self, name) for names in self._all_weights for name in names], dtype)
        settings = self.bias, self.num_layers, self.dropout, self.training, self.bidirectional
        if not isinstance(input, PackedSequence):
            frames = input.to(dtype)
            state = self._state(hx, frames, frames.shape[0 if self.batch_first else 1], None)
            output, hidden, cell = torch.lstm(frames, state, weights, *settings, self.batch_first)
            return output, (hidden, cell)
        frames = input.data.to(dtype)
        state = self._state(hx, frames, int(input.batch_sizes[0]), input.sorted_indices)
        data, hidden, cell = torch.lstm(frames, input.batch_sizes, state, weights, *settings)
        return input._replace(data=data), self.permute_hidden((hidden, cell), input.unsorted_indices)

    def _state(self, given: Any, frames: Tensor, batch: int, order: Tensor | None) -> tuple[Tensor, Tensor]:
        if given is None:
            zeros = frames.new_zeros(self.num_layers * (2 if self.bidirectional else 1), batch, self.hidden_size)
            return zeros, zeros
        hidden, cell = self.permute_hidden(given, order)
        return hidden.to(frames.dtype), cell.to(frames.dtype)


@cache
def onednn_computes(dtype: torch.dtype) -> bool:
    """Whether oneDNN has an LSTM in `dtype` on this processor, to train with; where it has none, it raises."""
    state, weights = torch.zeros(1, 1, 1), [torch.zeros(4, 1), torch.zeros(4, 1), torch.zeros(4), torch.zeros(4)]
    try:
        with torch.no_grad(), torch.autocast("cpu", dtype):
            torch.lstm(state, (state, state), weights, True, 1, 0.0, True, False, False)
    except RuntimeError:
        return False
    return True


def in_one_piece(weights: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """Weights cast and laid out as cuDNN keeps them: all matrices, then all biases, in one piece of memory.

    Of weights that lie apart cuDNN makes such a piece in every call, and torch warns.
    """
    order = sorted(range(len(weights)), key=lambda number: weights[number].dim() == 1)
    pieces = torch.cat([weights[number].flatten() for number in order]).to(dtype)
    laid_out = list(weights)
    sizes = [weights[number].numel() for number in order]
    for number, piece in zip(order, torch.split(pieces, sizes), strict=True):
        laid_out[number] = piece.view_as(weights[number])
    return laid_out
