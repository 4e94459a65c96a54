"""Every part as configured: all its parameters learn in each update, and no part starts otherwise for another."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from shipped_parts import names, part
from tiny_recognizer import parts

from lasasr.losses.joint import JointLoss
from lasasr.models import factory
from lasasr.models.network import Model
from lasasr.text import special

F, V = 12, 9
BASE = {"listen": "pyramid", "attend": "location", "spell": "lstm", "loss": "joint"}


def model(ctc_weight: Any = 0.3, **chosen: str) -> Model:
    named = {group: part(group, name) for group, name in (BASE | chosen).items()}
    loss = named["loss"] if "loss" in chosen else {**named["loss"], "ctc_weight": ctc_weight}
    return factory.model(parts(0.3, 7, **{**named, "loss": loss}), F, V)


def forgotten(made: Model, loss: JointLoss, step: int = 0) -> list[str]:
    """The parameters that one backward pass gives no gradient."""
    torch.manual_seed(0)
    frames, sizes = torch.tensor([70, 41]), torch.tensor([3, 2])
    tokens = torch.randint(special.FIRST_TEXT, V, (2, 3))
    out = made.train()(torch.randn(2, 70, F), frames, tokens, sizes)
    losses = loss(out.logits, out.ctc_log_probs, out.encoded_lengths, tokens, sizes, step, weights=out.weights)
    losses.total.backward()
    return [name for name, parameter in made.named_parameters() if parameter.requires_grad and parameter.grad is None]


@pytest.mark.parametrize(
    ("group", "name", "ctc_weight"),
    [
        (group, name, weight)
        for group in ("listen", "attend", "spell")
        for name in names(group)
        for weight in ((0.0, 0.3, 1.0) if group == "listen" else (0.0, 0.3))  # with 1.0 there is no decoder
    ],
)
def test_one_backward_reaches_every_parameter(group: str, name: str, ctc_weight: float) -> None:
    """DistributedDataParallel waits for each: without `find_unused_parameters` a missing one would stop all ranks."""
    assert forgotten(model(ctc_weight, **{group: name}), JointLoss(ctc_weight=ctc_weight)) == []


@pytest.mark.parametrize(("start", "end"), [(1.0, 0.0), (0.0, 1.0), (0.8, 0.2)])
@pytest.mark.parametrize("step", [0, 5, 10])
def test_a_part_whose_weight_is_zero_for_a_while_learns_nothing_but_is_reached(
    start: float, end: float, step: int
) -> None:
    weight = {"_target_": "lasasr.losses.joint.Annealed", "start": start, "end": end, "steps": 10}
    loss = JointLoss(ctc_weight=factory.build(weight, "loss.ctc_weight"))
    assert forgotten(model(weight), loss, step) == []


def test_an_utterance_too_short_for_its_labels_reaches_them_too() -> None:
    made, tokens = model(1.0), torch.full((1, 40), special.FIRST_TEXT)
    out = made(torch.randn(1, 16, F), torch.tensor([16]), tokens, torch.tensor([40]))
    loss = JointLoss(ctc_weight=1.0)(None, out.ctc_log_probs, out.encoded_lengths, tokens, torch.tensor([40]))
    assert bool(loss.infeasible.all())
    loss.total.backward()
    assert all(parameter.grad is not None for parameter in made.parameters())


@pytest.mark.parametrize(
    ("group", "name"), [(group, name) for group in ("listen", "attend", "spell", "loss") for name in names(group)]
)
def test_another_choice_leaves_the_start_of_all_other_parts_equal(group: str, name: str) -> None:
    torch.manual_seed(1)
    expected = model().state_dict()
    torch.manual_seed(2)  # what was drawn before does not matter either
    found = model(**{group: name}).state_dict()
    own = {"listen": "encoder.", "attend": "decoder.attention.", "spell": "decoder.", "loss": "nothing"}[group]
    others = [key for key in expected if not key.startswith(own) and key in found]
    others = [key for key in others if expected[key].shape == found[key].shape]
    assert any(key.startswith("encoder." if group != "listen" else "decoder.") for key in others)
    if name == BASE[group]:
        assert set(others) | {key for key in expected if key.startswith(own)} == set(expected)
        others = list(expected)
    assert [key for key in others if not torch.equal(expected[key], found[key])] == []


def test_another_seed_draws_every_weight_anew() -> None:
    named = {group: part(group, name) for group, name in BASE.items() if group != "loss"}
    one, other = (factory.model(parts(0.3, seed, **named), F, V).state_dict() for seed in (1, 2))
    drawn = [key for key, value in one.items() if value.dim() > 1]
    assert len(drawn) > 10
    assert not [key for key in drawn if torch.equal(one[key], other[key])]
