"""Pieces of a large output against the output as a whole."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from largest_tensor import largest_tensor
from torch import Tensor, nn

from lasasr.nn import concurrent, pieces

ROWS, WIDTH, OUTPUTS = 23, 5, 40


@pytest.fixture(params=[1, 2])
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(concurrent, "cores_per_process", lambda: request.param)
    monkeypatch.setattr(pieces, "ELEMENTS", 4 * OUTPUTS)  # four rows at a time
    return int(request.param)


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.output, self.unused = nn.Linear(WIDTH, OUTPUTS), nn.Linear(2, 2)
        self.output.bias.requires_grad_(False)


def gradients(in_pieces: bool, mixed: bool, afterwards: bool = True) -> list[Tensor | None]:
    """The result, and the gradients of the rows and of all weights."""
    torch.manual_seed(0)
    layers = Layers()
    rows = torch.randn(ROWS, WIDTH, requires_grad=True)
    columns = torch.randint(OUTPUTS, (ROWS, 3))

    def function(rows: Tensor, columns: Tensor) -> Tensor:
        return layers.output(rows).float().log_softmax(-1).gather(-1, columns)

    with torch.autocast("cpu", torch.bfloat16) if mixed else nullcontext():
        given = rows.sin(), columns  # no leaf
        result = pieces.in_pieces(function, given, layers, OUTPUTS) if in_pieces else function(*given)
        total = result.pow(2).sum()
        if afterwards:
            total = total + layers.output(rows.detach()).sum()  # the weight that autocast keeps still has its gradient
    total.backward()  # type: ignore[no-untyped-call]
    return [result.detach(), rows.grad, *(parameter.grad for parameter in layers.parameters())]


@pytest.mark.parametrize("mixed", [False, True])
def test_value_and_gradients_are_those_of_the_whole(cores: int, mixed: bool) -> None:
    tolerance: dict[str, Any] = {"rtol": 2e-2, "atol": 5e-2} if mixed else {}  # bfloat16 sums in another order
    for ours, whole in zip(gradients(True, mixed), gradients(False, mixed), strict=True):
        if whole is None:
            assert ours is None
        else:
            torch.testing.assert_close(ours, whole, **tolerance)


def test_no_tensor_of_all_outputs_exists(cores: int) -> None:
    if cores == 1:  # what other threads make is not seen
        assert largest_tensor(lambda: gradients(True, False, afterwards=False)) < ROWS * OUTPUTS / 2
        assert largest_tensor(lambda: gradients(False, False, afterwards=False)) == ROWS * OUTPUTS


def test_nothing_is_kept_where_no_gradient_is_wanted(cores: int) -> None:
    layers, rows = Layers(), torch.randn(ROWS, WIDTH)
    with torch.no_grad():
        result = pieces.in_pieces(layers.output, [rows], layers, OUTPUTS)
    assert not result.requires_grad
    torch.testing.assert_close(result, layers.output(rows).detach())
