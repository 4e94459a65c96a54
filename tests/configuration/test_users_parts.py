"""An exception that came out of a part of the user's is said with its place, class and line; all others are not."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from lasasr.cli import main as command
from lasasr.configuration import users_parts

OWN = """\
class Part:
    def fails(self):
        return self.helper({})

    def helper(self, values):
        return values["nothing"]

    def calls(self, function):
        return function()


class Slotted(Part):
    __slots__ = ()


def closure(function):
    return lambda: function()
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "own_faults.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LASASR_ALLOW", "own_faults")
    import own_faults  # type: ignore[import-not-found, unused-ignore]

    yield own_faults
    sys.modules.pop("own_faults", None)


def raised(function: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:
        function()
    return caught.value


def test_the_part_its_class_and_the_line_are_said(own: ModuleType) -> None:
    part = own.Part()
    users_parts.note(part, "own_faults.Part", "listen")
    assert users_parts.fault(raised(part.fails)) == "listen (own_faults.Part): KeyError: 'nothing' (own_faults.py:6)"


def test_of_two_parts_of_one_class_the_one_that_failed_is_named_and_a_copy_as_its_class(own: ModuleType) -> None:
    first, second = own.Part(), own.Part()
    users_parts.note(first, "own_faults.Part", "logger.one")
    users_parts.note(second, "own_faults.Part", "logger.two")
    assert (users_parts.fault(raised(first.fails)) or "").startswith("logger.one (")
    assert (users_parts.fault(raised(second.fails)) or "").startswith("logger.two (")
    assert (users_parts.fault(raised(copy.copy(second).fails)) or "").startswith("logger.two (")


def test_the_innermost_part_is_named(own: ModuleType) -> None:
    outer, inner = own.Part(), own.Slotted()
    users_parts.note(outer, "own_faults.Part", "spell")
    users_parts.note(inner, "own_faults.Slotted", "attend")
    said = users_parts.fault(raised(lambda: outer.calls(inner.fails)))
    assert said is not None
    assert said.startswith("attend (own_faults.Slotted): ")


def test_what_a_function_left_behind_is_named_by_its_module(own: ModuleType) -> None:
    users_parts.note(object(), "own_faults.closure", "schedule")
    said = users_parts.fault(raised(own.closure(lambda: {}["lacking"])))
    assert said == "schedule (own_faults.closure): KeyError: 'lacking' (own_faults.py:17)"


def test_what_came_from_elsewhere_is_not_the_users(own: ModuleType) -> None:
    users_parts.note(own.Part(), "own_faults.Part", "listen")
    assert users_parts.fault(raised(lambda: {}["nothing"])) is None


def test_the_command_ends_with_1_and_one_line(
    own: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    part = own.Part()
    users_parts.note(part, "own_faults.Part", "listen")
    monkeypatch.setattr(command, "_dispatch", lambda _: part.fails())
    assert command.main(["train"]) == 1
    expected = "lasasr: listen (own_faults.Part): KeyError: 'nothing' (own_faults.py:6) (-v shows the traceback)\n"
    assert capsys.readouterr().err == expected
