"""Every guard stands in the source exactly once, and what proves it is there; `make guards` proves it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from guards import GUARDS, Guard

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_once_and_its_tests_are_there(guard: Guard) -> None:
    source = (ROOT / "lasasr" / guard.file).read_text(encoding="utf-8")
    assert source.count(guard.text) == 1
    assert guard.without != guard.text
    ast.parse(source.replace(guard.text, guard.without))
    assert all((ROOT / "tests" / test.partition("::")[0]).is_file() for test in guard.tests)


def test_there_are_many() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS) >= 40
