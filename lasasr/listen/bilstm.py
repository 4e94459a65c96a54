"""One bidirectional LSTM layer that respects lengths exactly, fast on every device."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from lasasr import lengths as length
from lasasr.concurrent import concurrently
from lasasr.listen.packing import pack, packing, unpack
from lasasr.listen.recomputed import recomputed

Lstm = Literal["auto", "padded", "packed", "recomputed"]


class BiLSTM(nn.Module):
    """Frames (B, T, D) → (B, T, output_dim), exactly 0 on padding.

    Args:
        input_dim: D.
        hidden_dim: cells per direction.
        projection_dim: width of a linear layer and tanh above both directions; 0: none, output_dim = 2 · hidden_dim.
        lstm: "packed" hands torch a `PackedSequence` of the real frames alone. "padded" runs one LSTM over the padded
            batch (padding comes after the frames, so it disturbs nothing) and one over each sequence reversed within
            its own length. Both hold the same parameters and agree to rounding; packed sequences leave oneDNN's LSTM
            and are some 20 times slower on a CPU. "recomputed" is padded and keeps nothing but its output for the
            backward pass, which runs the LSTMs forward once more (Chen et al. 2016, Training Deep Nets with Sublinear
            Memory Cost). "auto" is padded on the CPU, packed elsewhere.

    Raises:
        ValueError: a size is below 1 (projection_dim below 0), or `lstm` is unknown.
    """

    def __init__(self, input_dim: int, hidden_dim: int, projection_dim: int = 0, lstm: Lstm = "auto") -> None:
        super().__init__()
        if lstm not in get_args(Lstm):
            raise ValueError(f"lstm must be one of {', '.join(get_args(Lstm))}, got {lstm!r}")
        if hidden_dim < 1 or projection_dim < 0:
            raise ValueError(f"hidden_dim must be >= 1 and projection_dim >= 0, got {hidden_dim} and {projection_dim}")
        self.lstm = nn.LSTM(input_dim, hidden_dim, batch_first=True, bidirectional=True)
        self.projection = nn.Linear(2 * hidden_dim, projection_dim) if projection_dim else None
        self.implementation = lstm
        self.output_dim = projection_dim or 2 * hidden_dim

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Args: frames (B, T, D), padding may hold anything finite; lengths (B,) int64, 1 <= lengths <= T."""
        packed = self.implementation == "packed" or (self.implementation == "auto" and frames.device.type != "cpu")
        both = self._packed(frames, lengths) if packed else self._padded(frames, lengths)
        if self.projection is not None:
            both = torch.tanh(self.projection(both))
        real = length.mask(lengths, frames.shape[1])
        return both * real[..., None].to(both.dtype)

    def _packed(self, frames: Tensor, lengths: Tensor) -> Tensor:
        order = packing(lengths, frames.shape[1])
        both: PackedSequence = self.lstm(PackedSequence(pack(frames, order), order.sizes))[0]
        return unpack(both.data, order, len(frames))

    def _padded(self, frames: Tensor, lengths: Tensor) -> Tensor:
        frames, *weights = _cast_as_autocast([frames, *self.lstm.parameters()])
        half = len(weights) // 2

        def backward(frames: Tensor, *weights: Tensor) -> Tensor:
            return length.reverse(_unidirectional(length.reverse(frames, lengths), *weights), lengths)

        def both(frames: Tensor, *weights: Tensor) -> Tensor:
            if frames.device.type == "cpu":
                run = concurrently(_unidirectional, backward, [frames, *weights[:half]], [frames, *weights[half:]])
            else:
                run = [_unidirectional(frames, *weights[:half]), backward(frames, *weights[half:])]
            return torch.cat(run, -1)

        with torch.autocast(frames.device.type, enabled=False):
            if self.implementation == "recomputed" and torch.is_grad_enabled():
                return recomputed(both, frames, *weights)
            return both(frames, *weights)


def _unidirectional(frames: Tensor, *weights: Tensor) -> Tensor:
    """An LSTM from left to right over frames (B, T, D) with the weights of one direction, from a state of zeros."""
    zeros = frames.new_zeros(1, frames.shape[0], weights[1].shape[1])
    # "train" is what oneDNN and cuDNN need to know to keep what the backward pass reads
    train = torch.is_grad_enabled()
    result: Tensor = torch.lstm(frames, (zeros, zeros), weights, True, 1, 0.0, train, False, True)[0]
    return result


def _cast_as_autocast(tensors: list[Tensor]) -> list[Tensor]:
    """What autocast does to the arguments of an LSTM; its mode belongs to a thread, so it is applied before."""
    device = tensors[0].device.type
    if not torch.is_autocast_enabled(device):
        return tensors
    dtype = torch.get_autocast_dtype(device)
    return [tensor.to(dtype) for tensor in tensors]
