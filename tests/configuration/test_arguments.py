"""Arguments of shipped parts are of the kinds that their annotations say, or refused with their key."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lasasr.configuration.arguments import check_arguments
from lasasr.errors import UsageError


def adam(**arguments: Any) -> None:
    check_arguments(torch.optim.Adam, arguments, "optimizer")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lr": float("nan")}, "optimizer.lr is nan, not a number"),
        ({"lr": float("inf")}, "optimizer.lr is inf, not a number"),
        ({"lr": "banana"}, "optimizer.lr is 'banana', not a number"),
        ({"lr": True}, "optimizer.lr is true, not a number"),
        ({"lr": None}, "optimizer.lr is null, not a number"),
        ({"betas": [0.9]}, "optimizer.betas is .0.9., not a list of"),
        ({"betas": [0.9, "x"]}, "optimizer.betas is .* not a list of"),
        ({"amsgrad": 1}, "optimizer.amsgrad is 1, not true or false"),
        ({"lr": [1] * 500}, "optimizer.lr is .{60}..., not a number"),
    ],
)
def test_another_kind_is_refused_with_its_key(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        adam(**arguments)


@pytest.mark.parametrize("arguments", [{"lr": 1}, {"betas": [0, 1]}, {"unknown": "x"}, {"foreach": None}])
def test_what_fits_is_taken_and_what_is_unknown_left_to_the_class(arguments: dict[str, Any]) -> None:
    adam(**arguments)


def test_options_that_a_recipe_sets_of_a_part_that_another_choice_has_are_refused_with_the_way_out() -> None:
    from lasasr.losses.joint import JointLoss

    message = r"loss.ctc_weight is .*, not a number or a part \(Annealed\); .*: set loss.ctc_weight as a whole$"
    with pytest.raises(UsageError, match=message):
        check_arguments(JointLoss, {"ctc_weight": {"start": 0.9, "end": 0.3, "steps": 600}}, "loss")
    check_arguments(JointLoss, {"ctc_weight": 1.0}, "loss")


def test_whole_numbers_may_be_written_as_fractions_that_are_none() -> None:
    from lasasr.listen.blstm import BLSTMEncoder

    check_arguments(BLSTMEncoder, {"layers": 2.0}, "listen")
    for layers in (2.5, float("inf"), "2", [2]):
        with pytest.raises(UsageError, match=r"listen.layers is .*, not a whole number"):
            check_arguments(BLSTMEncoder, {"layers": layers}, "listen")


def test_options_that_a_class_hands_on_are_checked_too() -> None:
    from lasasr.attend.location import LocationAttention

    check_arguments(LocationAttention, {"dim": 4, "scale": 2}, "attend")
    with pytest.raises(UsageError, match=r"attend.scale is nan, not a number"):
        check_arguments(LocationAttention, {"scale": float("nan")}, "attend")


def test_a_section_is_no_part() -> None:
    from lasasr.search.beam import BeamSearch

    check_arguments(BeamSearch, {"pruning": {"_target_": "lasasr.search.pruning.Pruning"}}, "search")
    with pytest.raises(UsageError, match=r"search.pruning is .'a': 1., not a part \(Pruning\) or nothing"):
        check_arguments(BeamSearch, {"pruning": {"a": 1}}, "search")


def test_a_users_own_class_may_be_annotated_as_it_likes() -> None:
    class Mine:
        def __init__(self, width: int) -> None:
            self.width = width

    check_arguments(Mine, {"width": "wide"}, "attend")
