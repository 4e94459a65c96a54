"""Kinds of values, one by one."""

from pathlib import Path
from typing import Any

import pytest

from lasasr.artifacts.kinds import NUMBER, refuse_others
from lasasr.errors import LasasrError

PATH = Path("card.json")


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (int, [0, -3], [1.0, True, "1", None, [1]]),
        (NUMBER, [1, 0.5], [True, "1", float("nan"), float("inf"), None]),
        (str, ["", "x"], [1, None, ["x"]]),
        (str | None, ["x", None], [1, False]),
        (dict, [{}, {"a": 1}], [[], None, 3]),
        (list[str], [[], ["x"]], [["x", 1], "x", None]),
        (list[int | float] | None, [None, [1, 0.5]], [["x"], 3]),
    ],
)
def test_right_passes_and_wrong_is_named(kind: Any, right: list[Any], wrong: list[Any]) -> None:
    for value in right:
        refuse_others(PATH, {"outer": {"key": value}}, {"outer.key": kind})
    for value in wrong:
        with pytest.raises(LasasrError, match=r"card\.json is damaged: outer\.key is .*, not "):
            refuse_others(PATH, {"outer": {"key": value}}, {"outer.key": kind})


def test_what_is_absent_or_unnamed_may_be_anything() -> None:
    refuse_others(PATH, {"more": object(), "outer": 3}, {"key": int, "outer.key": int})
