"""The cells against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lasasr.spell.cell import CELLS, GRUCell, LSTMCell

EMBEDDED, FED, HIDDEN, ROWS = 3, 4, 5, 6


@pytest.fixture(autouse=True)
def _double() -> object:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def _inputs(keeps_cell: bool) -> list[Tensor]:
    widths = (EMBEDDED, FED, HIDDEN, HIDDEN if keeps_cell else 0)
    return [torch.randn(ROWS, width) for width in widths]


def _copied(ours: LSTMCell | GRUCell, theirs: nn.LSTMCell | nn.GRUCell) -> None:
    """Torch reads the embedding and what is fed as one input; its second bias is not needed."""
    assert ours.weight_known is not None
    with torch.no_grad():
        ours.bias.normal_()
        theirs.weight_ih.copy_(torch.cat((ours.weight_known, ours.weight_loop[:, :FED]), 1))
        theirs.weight_hh.copy_(ours.weight_loop[:, FED:])
        theirs.bias_ih.copy_(ours.bias)
        theirs.bias_hh.zero_()


def test_lstm_is_torchs() -> None:
    ours, theirs = LSTMCell(EMBEDDED, FED, HIDDEN), nn.LSTMCell(EMBEDDED + FED, HIDDEN)
    _copied(ours, theirs)
    embedded, fed, hidden, cell = _inputs(True)
    got = ours(ours.token_share(embedded), fed, hidden, cell)
    torch.testing.assert_close(got, theirs(torch.cat((embedded, fed), 1), (hidden, cell)))


def test_gru_is_torchs() -> None:
    ours, theirs = GRUCell(EMBEDDED, FED, HIDDEN), nn.GRUCell(EMBEDDED + FED, HIDDEN)
    _copied(ours, theirs)
    embedded, fed, hidden, cell = _inputs(False)
    got, cell_value = ours(ours.token_share(embedded), fed, hidden, cell)
    torch.testing.assert_close(got, theirs(torch.cat((embedded, fed), 1), hidden))
    assert cell_value.shape == (ROWS, 0)


def test_lstm_starts_by_remembering() -> None:
    bias = LSTMCell(EMBEDDED, FED, HIDDEN).bias.chunk(4)
    assert [block.unique().item() for block in bias] == [0.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize("name", CELLS)
def test_the_share_of_an_upper_layer_is_its_bias(name: str) -> None:
    cell = CELLS[name](0, FED, HIDDEN)
    assert sorted(dict(cell.named_parameters())) == ["bias", "weight_loop"]
    _, fed, hidden, cell_value = _inputs(cell.keeps_cell)
    with torch.no_grad():
        cell.bias.normal_()
    alone = cell(cell.bias, fed, hidden, cell_value)
    per_row = cell(cell.bias.expand(ROWS, -1), fed, hidden, cell_value)
    torch.testing.assert_close(alone, per_row)
