"""Recurrent cells for the decoder's loop: the share of the pre-activations that tokens decide is computed beforehand.

The pre-activations of a cell are a *share*, which depends on the tokens alone, plus products of what only the loop
computes: what is fed (a context, the layer below) and the last hidden value.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from lasasr.nn import shared_steps
from lasasr.nn.shared_layers import parameter


class Cell(nn.Module, ABC):
    """Share (N, G), fed (N, I), hidden (N, D) and cell (N, D or 0) → the next hidden and cell, for N rows.

    Args:
        token_dim: width of what the tokens decide (the embedding); 0 in an upper layer, whose share is the bias.
        fed_dim: I.
        hidden_dim: D.
    """

    blocks: int  # G = blocks · D
    keeps_cell: bool  # the cell value is (N, D); otherwise (N, 0)

    def __init__(self, token_dim: int, fed_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.token_dim, self.fed_dim, self.hidden_dim = token_dim, fed_dim, hidden_dim
        self.weight_known = nn.Parameter(torch.empty(self.blocks * hidden_dim, token_dim)) if token_dim else None
        self.weight_loop = nn.Parameter(torch.empty(self.blocks * hidden_dim, fed_dim + hidden_dim))
        self.bias = nn.Parameter(torch.empty(self.blocks * hidden_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights uniform in ±1/√D, biases 0."""
        bound = 1.0 / math.sqrt(self.hidden_dim)
        for weight in (self.weight_known, self.weight_loop):
            if weight is not None:
                nn.init.uniform_(weight, -bound, bound)
        nn.init.zeros_(self.bias)

    def token_share(self, embedded: Tensor) -> Tensor:
        """The share (..., G) that embedded (..., token_dim) decides, the bias included."""
        assert self.weight_known is not None
        return shared_steps.linear(embedded, parameter(self, "weight_known"), parameter(self, "bias"))

    @abstractmethod
    def forward(self, share: Tensor, fed: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """The next hidden and cell, in the precision of the last ones."""


class LSTMCell(Cell):
    """Long short-term memory with a forget gate (Gers et al. 2000), without peepholes."""

    blocks = 4  # input, forget, candidate, output
    keeps_cell = True

    def reset_parameters(self) -> None:
        """Weights uniform in ±1/√D, biases 0, that of the forget gate 1 (Jozefowicz et al. 2015, §2.2)."""
        super().reset_parameters()
        with torch.no_grad():
            self.bias[self.hidden_dim : 2 * self.hidden_dim] = 1.0

    def forward(self, share: Tensor, fed: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        read = torch.cat((fed, hidden), 1)
        if shared_steps.recording():
            accumulator, handle = shared_steps.factor(parameter(self, "weight_loop"), transposed=True)
            result: tuple[Tensor, Tensor] = _LSTMStep.apply(accumulator, handle, share, read, cell)
            return result
        pre = shared_steps.product(read, parameter(self, "weight_loop"), transposed=True).add_(share)
        gates, _, cell, squashed = _squash(pre, cell)
        return gates[:, 3] * squashed, cell


def _squash(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gates (N, 4, D) and the candidate, the next cell and its tanh (N, D), from the pre-activations (N, 4D)."""
    gates = gates.to(cell.dtype).view(cell.shape[0], 4, -1)
    gates[:, 2] *= 2  # tanh(x) = 2σ(2x) − 1, and a sigmoid costs a fraction of a tanh on CPU
    gates.sigmoid_()
    candidate = 2 * gates[:, 2] - 1
    after = torch.addcmul(gates[:, 1] * cell, gates[:, 0], candidate)
    return gates, candidate, after, 2 * (2 * after).sigmoid_() - 1


class _LSTMStep(torch.autograd.Function):
    """Share (N or 1, 4D), what is read (N, I + D) and cell (N, D) → hidden and cell."""

    @staticmethod
    def forward(
        ctx: Any, accumulator: shared_steps.Product, handle: Tensor, share: Tensor, read: Tensor, cell: Tensor
    ) -> tuple[Tensor, Tensor]:
        weight = accumulator.tensor
        read = read.to(weight.dtype)
        pre = torch.addmm(share.to(weight.dtype), read, weight.t())
        gates, candidate, after, squashed = _squash(pre, cell)
        ctx.accumulator, ctx.share_form = accumulator, (share.dtype, share.dim())
        ctx.save_for_backward(weight, read, gates, cell, candidate, squashed)
        return gates[:, 3] * squashed, after

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, into_hidden: Tensor, into_cell: Tensor) -> tuple[Tensor | None, ...]:
        weight, read, gates, cell, candidate, squashed = ctx.saved_tensors
        through = torch.ops.aten.tanh_backward(into_hidden * gates[:, 3], squashed) + into_cell
        into = torch.empty_like(gates)
        torch.mul(through, candidate, out=into[:, 0])
        torch.mul(through, cell, out=into[:, 1])
        torch.mul(through, 4 * gates[:, 0], out=into[:, 2])  # the derivative of tanh is 4σ(1 − σ)
        torch.mul(into_hidden, squashed, out=into[:, 3])
        pre_gradient = torch.ops.aten.sigmoid_backward(into, gates).flatten(1).to(weight.dtype)
        if ctx.accumulator.needs_gradient:
            ctx.accumulator.add(read, pre_gradient)
        dtype, dimensions = ctx.share_form
        share_gradient = pre_gradient.to(dtype) if dimensions == 2 else pre_gradient.sum(0).to(dtype)
        return None, None, share_gradient, pre_gradient @ weight, through * gates[:, 1]


class GRUCell(Cell):
    """Gated recurrent unit (Cho et al. 2014, §2.3), the reset gate applied after the product as cuDNN does."""

    blocks = 3  # reset, update, candidate
    keeps_cell = False

    def forward(self, share: Tensor, fed: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        for_fed, for_hidden = shared_steps.cached(self._split)
        outside = share + shared_steps.product(fed, for_fed, transposed=True)
        inside = shared_steps.product(hidden, for_hidden, transposed=True)
        gates = (outside + inside)[:, : 2 * self.hidden_dim].sigmoid()
        reset, update = gates.chunk(2, 1)
        candidate = torch.addcmul(outside[:, -self.hidden_dim :], reset, inside[:, -self.hidden_dim :]).tanh()
        return torch.lerp(candidate.to(hidden.dtype), hidden, update.to(hidden.dtype)), cell

    def _split(self) -> tuple[Tensor, Tensor]:
        return self.weight_loop[:, : self.fed_dim], self.weight_loop[:, self.fed_dim :]


CELLS: dict[str, type[Cell]] = {"lstm": LSTMCell, "gru": GRUCell}
