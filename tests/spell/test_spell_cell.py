"""The cells against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lasasr.spell.cell import CELLS, GRUCell, LSTMCell

KNOWN, FED, HIDDEN, ROWS = 3, 4, 5, 6


@pytest.fixture(autouse=True)
def _double() -> object:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def _inputs(keeps_cell: bool) -> list[Tensor]:
    widths = (KNOWN, FED, HIDDEN, HIDDEN if keeps_cell else 0)
    return [torch.randn(ROWS, width) for width in widths]


def _copied(ours: LSTMCell | GRUCell, theirs: nn.LSTMCell | nn.GRUCell) -> None:
    """Torch sees the embedding and what is fed as one input; its second bias is not needed."""
    assert ours.weight_known is not None
    with torch.no_grad():
        ours.bias.normal_()
        theirs.weight_ih.copy_(torch.cat((ours.weight_known, ours.weight_loop[:, :FED]), 1))
        theirs.weight_hh.copy_(ours.weight_loop[:, FED:])
        theirs.bias_ih.copy_(ours.bias)
        theirs.bias_hh.zero_()


def test_lstm_is_torchs() -> None:
    ours, theirs = LSTMCell(KNOWN, FED, HIDDEN), nn.LSTMCell(KNOWN + FED, HIDDEN)
    _copied(ours, theirs)
    known, fed, hidden, cell = _inputs(True)
    got = ours(ours.known(known), fed, hidden, cell)
    torch.testing.assert_close(got, theirs(torch.cat((known, fed), 1), (hidden, cell)))


def test_gru_is_torchs() -> None:
    ours, theirs = GRUCell(KNOWN, FED, HIDDEN), nn.GRUCell(KNOWN + FED, HIDDEN)
    _copied(ours, theirs)
    known, fed, hidden, cell = _inputs(False)
    got, kept = ours(ours.known(known), fed, hidden, cell)
    torch.testing.assert_close(got, theirs(torch.cat((known, fed), 1), hidden))
    assert kept.shape == (ROWS, 0)


def test_lstm_starts_by_remembering() -> None:
    bias = LSTMCell(KNOWN, FED, HIDDEN).bias.chunk(4)
    assert [block.unique().item() for block in bias] == [0.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize("name", CELLS)
def test_upper_layer_knows_its_bias_alone(name: str) -> None:
    cell = CELLS[name](0, FED, HIDDEN)
    assert sorted(dict(cell.named_parameters())) == ["bias", "weight_loop"]
    _, fed, hidden, kept = _inputs(cell.keeps_cell)
    with torch.no_grad():
        cell.bias.normal_()
    alone = cell(cell.bias, fed, hidden, kept)
    per_row = cell(cell.bias.expand(ROWS, -1), fed, hidden, kept)
    torch.testing.assert_close(alone, per_row)
