"""Recurrent cells as the decoder loop wants them: what the tokens decide is computed for all steps beforehand.

The pre-activations of a cell are a *known* share, which depends on the tokens alone, plus products of what only the
loop can tell: what is fed (a context, the layer below) and the last hidden value.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional


class Cell(nn.Module, ABC):
    """Known (N, G), fed (N, I), hidden (N, D) and cell (N, D or 0) → the next hidden and cell, for N rows.

    Args:
        known_dim: width of what the tokens decide (the embedding); 0 in an upper layer, where only the bias is known.
        fed_dim: I.
        hidden_dim: D.
    """

    blocks: int  # G = blocks · D
    keeps_cell: bool  # the cell value is (N, D); otherwise (N, 0)

    def __init__(self, known_dim: int, fed_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.known_dim, self.fed_dim, self.hidden_dim = known_dim, fed_dim, hidden_dim
        self.weight_known = nn.Parameter(torch.empty(self.blocks * hidden_dim, known_dim)) if known_dim else None
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

    def known(self, embedded: Tensor) -> Tensor:
        """The share (..., G) that embedded (..., known_dim) decides, the bias included."""
        assert self.weight_known is not None
        return functional.linear(embedded, self.weight_known, self.bias)

    def loop_weight(self) -> Tensor:
        """The matrix (I + D, G) of the product inside the loop, to be asked for once per loop.

        Autocast would convert this view anew in every step, so it is converted here.
        """
        kind = self.weight_loop.device.type
        if torch.is_autocast_enabled(kind):
            return self.weight_loop.to(torch.get_autocast_dtype(kind)).t()
        return self.weight_loop.t()

    @abstractmethod
    def forward(
        self, known: Tensor, fed: Tensor, hidden: Tensor, cell: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The next hidden and cell, in the precision of the last ones; `weight` is `loop_weight()`."""


class LSTMCell(Cell):
    """Long short-term memory with a forget gate (Gers et al. 2000), without peepholes."""

    blocks = 4  # input, forget, candidate, output
    keeps_cell = True

    def reset_parameters(self) -> None:
        """Weights uniform in ±1/√D, biases 0, that of the forget gate 1 (Jozefowicz et al. 2015, §2.2)."""
        super().reset_parameters()
        with torch.no_grad():
            self.bias[self.hidden_dim : 2 * self.hidden_dim] = 1.0

    def forward(
        self, known: Tensor, fed: Tensor, hidden: Tensor, cell: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        gates = torch.addmm(known, torch.cat((fed, hidden), 1), weight)
        enter, keep, candidate, leave = gates.chunk(4, 1)
        cell = keep.sigmoid() * cell + enter.sigmoid() * candidate.tanh()
        return leave.sigmoid() * cell.tanh(), cell


class GRUCell(Cell):
    """Gated recurrent unit (Cho et al. 2014, §2.3), the reset gate applied after the product as cuDNN does."""

    blocks = 3  # reset, update, candidate
    keeps_cell = False

    def forward(
        self, known: Tensor, fed: Tensor, hidden: Tensor, cell: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        outside = torch.addmm(known, fed, weight[: self.fed_dim])
        inside = torch.mm(hidden, weight[self.fed_dim :])
        gates = (outside + inside)[:, : 2 * self.hidden_dim].sigmoid()
        reset, update = gates.chunk(2, 1)
        candidate = torch.addcmul(outside[:, -self.hidden_dim :], reset, inside[:, -self.hidden_dim :]).tanh()
        return torch.lerp(candidate.to(hidden.dtype), hidden, update.to(hidden.dtype)), cell


CELLS: dict[str, type[Cell]] = {"lstm": LSTMCell, "gru": GRUCell}
