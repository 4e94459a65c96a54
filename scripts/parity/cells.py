"""The recurrent cells of the decoder beside torch's, whose gates stand in the same order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lasasr.spell.cell import GRUCell, LSTMCell
from parity.check import Check, NotReproduced
from parity.matched import Parameters, difference

ROWS, STEPS, TOKEN, FED, HIDDEN = 3, 5, 6, 4, 8


def checks() -> list[Check | NotReproduced]:
    """Values and gradients over five steps of three rows."""
    return [
        Check("`LSTMCell` of the decoder", "torch", _lstm, "`torch.nn.LSTMCell`, its two biases added"),
        Check("`GRUCell` of the decoder", "torch", _gru, "`torch.nn.GRUCell` with the candidate's inner bias 0"),
    ]


def _inputs() -> tuple[Tensor, Tensor]:
    token = torch.randn(STEPS, ROWS, TOKEN, dtype=torch.double, requires_grad=True)
    return token, torch.randn(STEPS, ROWS, FED, dtype=torch.double, requires_grad=True)


def _ours(cell: Any, token: Tensor, fed: Tensor) -> list[Tensor]:
    hidden = token.new_zeros(ROWS, HIDDEN)
    kept = token.new_zeros(ROWS, HIDDEN if cell.keeps_cell else 0)
    values = []
    for embedded, context in zip(token, fed, strict=True):
        hidden, kept = cell(cell.token_share(embedded), context, hidden, kept)
        values += [hidden, kept] if cell.keeps_cell else [hidden]
    return values


def _theirs(cell: Any, token: Tensor, fed: Tensor) -> list[Tensor]:
    state, values = None, []
    for embedded, context in zip(token, fed, strict=True):
        state = cell(torch.cat([embedded, context], 1), state)
        values += state if isinstance(state, tuple) else [state]
    return values


def _mapped(theirs: Parameters) -> Parameters:
    return {
        "weight_known": theirs["weight_ih"][:, :TOKEN],
        "weight_loop": torch.cat([theirs["weight_ih"][:, TOKEN:], theirs["weight_hh"]], 1),
        "bias": theirs["bias_ih"] + theirs["bias_hh"],
    }


def _lstm() -> float:
    return difference(
        LSTMCell(TOKEN, FED, HIDDEN), nn.LSTMCell(TOKEN + FED, HIDDEN), _mapped, _ours, _theirs, _inputs()
    )


def _gru() -> float:
    theirs = nn.GRUCell(TOKEN + FED, HIDDEN)
    inner = theirs.bias_hh
    del theirs.bias_hh  # the reset gate multiplies its last third, which ours does not have
    theirs.register_parameter("free", nn.Parameter(inner.detach()[: 2 * HIDDEN].clone()))
    return difference(GRUCell(TOKEN, FED, HIDDEN), theirs, _mapped_gru, _ours, _with_free_bias, _inputs())


def _with_free_bias(cell: Any, token: Tensor, fed: Tensor) -> list[Tensor]:
    cell.bias_hh = torch.cat([cell.free, cell.free.new_zeros(HIDDEN)])
    return _theirs(cell, token, fed)


def _mapped_gru(theirs: Parameters) -> Parameters:
    bias = torch.cat([theirs["free"], theirs["free"].new_zeros(HIDDEN)])
    return _mapped(theirs | {"bias_hh": bias})
