"""What is not trained is in evaluation mode, whatever the model around it is in."""

from __future__ import annotations

from torch import nn

from lasasr.nn import frozen


def model() -> nn.Sequential:
    inner = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.Linear(2, 2))
    return nn.Sequential(inner, nn.Dropout(0.5), nn.Linear(2, 2))


def test_a_part_is_in_evaluation_mode_when_nothing_of_it_is_trained() -> None:
    whole = model()
    frozen.freeze(whole[0].parameters())
    frozen.settle(whole.train())
    assert [part.training for part in whole[0].modules()] == [False] * 4
    assert (whole.training, whole[1].training, whole[2].training) == (True, True, True)


def test_a_part_of_which_something_is_trained_keeps_its_dropout() -> None:
    whole = model()
    frozen.freeze(whole[0][0].parameters())  # type: ignore[index]
    frozen.settle(whole.train())
    assert [part.training for part in whole[0]] == [False, True, True]  # type: ignore[attr-defined]
    whole[0][0].requires_grad_(True)  # type: ignore[index]
    frozen.settle(whole.train())
    assert all(part.training for part in whole.modules())


def test_freezing_drops_gradients() -> None:
    layer = nn.Linear(2, 2)
    layer(layer.weight).sum().backward()
    frozen.freeze(layer.parameters())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in layer.parameters())


def test_each_part_comes_back_to_its_own_mode() -> None:
    whole = model().train()
    whole[0][1].eval()  # type: ignore[index]
    before = [part.training for part in whole.modules()]
    with frozen.evaluating(whole):
        assert not any(part.training for part in whole.modules())
    assert [part.training for part in whole.modules()] == before
