"""A bidirectional LSTM over a padded batch, as a module that does what `nn.LSTM` does with a packed one."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from lasasr.listen.recomputed import recomputed
from lasasr.nn import lengths as length
from lasasr.nn.concurrent import concurrently
from lasasr.nn.lstm import LSTM, in_one_piece

# in the order in which torch.lstm reads them: one direction, then the other
NAMES = tuple(
    f"{kind}_l0{direction}"
    for direction in ("", "_reverse")
    for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
)


class PaddedLSTM(LSTM):
    """Frames (B, T, D) and lengths (B,) → (B, T, 2 · hidden_dim); without lengths it is `LSTM` itself.

    One LSTM runs over the padded batch (padding comes after the frames, so it disturbs nothing) and one over each
    sequence reversed within its own length. What is on padding means nothing.

    Args:
        input_dim: D.
        hidden_dim: cells per direction.
        recompute: keep nothing but the output for the backward pass, which runs the LSTMs forward once more
            (Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost).
    """

    def __init__(self, input_dim: int, hidden_dim: int, recompute: bool = False) -> None:
        super().__init__(input_dim, hidden_dim, batch_first=True, bidirectional=True)
        self.recompute = recompute

    def forward(self, input: Any, lengths: Any = None) -> Any:
        """As above; with a `PackedSequence` (and perhaps a state) in place of frames and lengths, as `nn.LSTM`.

        Raises:
            ValueError: the frames are not as wide as `input_dim`.
        """
        if not isinstance(lengths, Tensor):
            return super().forward(input, lengths)
        if input.shape[-1] != self.input_size:  # torch.lstm does not look, and oneDNN reads beyond the end
            raise ValueError(f"frames of {input.shape[-1]} values for an LSTM that reads {self.input_size}")
        frames, *weights = _cast_as_autocast([input, *(getattr(self, name) for name in NAMES)])
        half = len(weights) // 2

        def backward(frames: Tensor, *weights: Tensor) -> Tensor:
            return length.reverse(_unidirectional(length.reverse(frames, lengths), *weights), lengths)

        def both_directions(frames: Tensor, *weights: Tensor) -> Tensor:
            if frames.device.type == "cpu":
                outputs = concurrently(_unidirectional, backward, [frames, *weights[:half]], [frames, *weights[half:]])
            else:
                outputs = [_unidirectional(frames, *weights[:half]), backward(frames, *weights[half:])]
            return torch.cat(outputs, -1)

        autocast = torch.is_autocast_enabled(frames.device.type)
        with torch.autocast(frames.device.type, enabled=False) if autocast else nullcontext():
            if self.recompute and torch.is_grad_enabled():
                return recomputed(both_directions, frames, *weights)
            return both_directions(frames, *weights)


def _unidirectional(frames: Tensor, *weights: Tensor) -> Tensor:
    """An LSTM from left to right over frames (B, T, D) with the weights of one direction, from a state of zeros."""
    zeros = frames.new_zeros(1, frames.shape[0], weights[1].shape[1])
    # with "train", oneDNN and cuDNN keep what the backward pass reads
    train = torch.is_grad_enabled()
    if frames.device.type == "cuda":
        weights = tuple(in_one_piece(list(weights), frames.dtype))
    result: Tensor = torch.lstm(frames, (zeros, zeros), weights, True, 1, 0.0, train, False, True)[0]
    return result


def _cast_as_autocast(tensors: list[Tensor]) -> list[Tensor]:
    """What autocast does to the arguments of an LSTM; its mode belongs to a thread, so it is applied before."""
    device = tensors[0].device.type
    if not torch.is_autocast_enabled(device):
        return tensors
    dtype = torch.get_autocast_dtype(device)
    return [tensor.to(dtype) for tensor in tensors]
