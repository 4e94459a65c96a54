"""Plain values as dataclasses: members of parts and lists have kinds of their own, and are named by their keys."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union

import pytest
import torch

from lasasr.configuration import typed


@dataclass(frozen=True, kw_only=True)
class Inner:
    count: int
    share: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Outer:
    inner: Inner | None = None
    by_name: Mapping[str, Inner] | None = None
    listed: Sequence[Inner] = ()
    numbers: Sequence[Mapping[str, int | float]] = ()
    anything: Mapping[str, Any] | None = None


def test_members_become_what_their_kind_is() -> None:
    values = {
        "inner": {"count": 1, "share": 2, "more": "x"},
        "by_name": {"a": {"count": 2}},
        "listed": [{"count": 3}],
        "numbers": [{"x": 1, "y": 0.5}],
        "anything": {"x": [1]},
    }
    assert typed.read(Outer, values) == Outer(
        inner=Inner(count=1, share=2.0),
        by_name={"a": Inner(count=2)},
        listed=(Inner(count=3),),
        numbers=({"x": 1, "y": 0.5},),
        anything={"x": [1]},
    )
    assert typed.read(Outer, {}) == typed.read(Outer, {"inner": None, "by_name": None, "anything": None}) == Outer()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inner": 3}, "inner is 3, not a part with keys or nothing"),
        ({"inner": {}}, "it lacks inner.count"),
        ({"by_name": [1]}, "by_name is [1], not a part with keys or nothing"),
        ({"by_name": {"a": None}}, "by_name.a is null, not a part with keys"),
        ({"by_name": {"a": {"count": "x"}}}, "by_name.a.count is 'x', not a whole number"),
        ({"listed": {}}, "listed is {}, not a list of parts with keys"),
        ({"listed": None}, "listed is null, not a list of parts with keys"),
        ({"listed": [{"count": 1}, {}]}, "it lacks listed[1].count"),
        ({"numbers": [{"x": 1}, {"x": True}]}, "numbers[1].x is true, not a whole number or a number"),
    ],
)
def test_a_message_names_the_member(values: dict[str, Any], message: str) -> None:
    with pytest.raises(typed.KindError, match=f"^{re.escape(message)}$"):
        typed.read(Outer, values)


@pytest.mark.parametrize(
    ("annotation", "value", "takes"),
    [
        (int, 3, True),
        (int, True, False),
        (int, 3.0, False),
        (int, None, False),
        (float, 3, True),
        (float, "3", False),
        (bool, True, True),
        (bool, 1, False),
        (int | str, "auto", True),
        (Union[int, None], None, True),  # noqa: UP007 - what older packages write
        (list[int] | str | int, [0, 1], True),
        (Sequence[float], [1.0], True),
        (dict[str, int], {"a": 1}, True),
        (Literal["min", "max"], "max", True),
        (Literal["min", "max"], "mean", False),
        (Any, object(), True),
        (None, 3, False),
        (float, float("nan"), False),
        (list[int], ["a"], False),
    ],
)
def test_a_value_is_of_the_kind_of_an_annotation(annotation: Any, value: Any, takes: bool) -> None:
    assert typed.matches(value, annotation) is takes


def test_a_tensor_is_no_choice_in_a_configuration() -> None:
    assert typed.described(float | torch.Tensor) == "a number"
    assert typed.described(Any) == "any value"
