"""Keys that came after a run was made can be overridden; those that its classes do not take are refused as ever."""

from __future__ import annotations

from typing import Any

import pytest

from lasasr.cli.compose import recompose
from lasasr.cli.newer_keys import with_newer
from lasasr.errors import UsageError

PRUNING = {"_target_": "lasasr.search.pruning.Pruning", "eos_threshold": 1.5}
SEARCH = {"_target_": "lasasr.search.beam.BeamSearch", "beam": 3, "pruning": PRUNING}
STORED: dict[str, Any] = {"recipe": "run", "choices": {"search": None}, "seed": 1, "search": SEARCH}


def test_a_key_that_the_class_has_got_is_set() -> None:
    changed = recompose(STORED, ["search.hotwords=[ab]", "search.pruning.end_patience=3", "search.beam=4"])
    assert changed["search"] == {
        **SEARCH,
        "beam": 4,
        "hotwords": ["ab"],
        "pruning": {**PRUNING, "end_patience": 3},
    }
    assert recompose(STORED, [])["search"] == SEARCH


@pytest.mark.parametrize("override", ["search.hotword=[ab]", "search.rescore.ctc_weight=0.3", "search.limits.max=3"])
def test_others_are_refused(override: str) -> None:
    with pytest.raises(UsageError, match=r"unknown key search\."):
        recompose(STORED, [override])


def test_nothing_else_is_added() -> None:
    assert with_newer({"search": SEARCH}, ["search.hotwords"]) == {"search": {**SEARCH, "hotwords": None}}
    assert with_newer({"a": 1, "b": {"c": 2}}, ["d", "b.e", "a.f", "g.h"]) == {"a": 1, "b": {"c": 2}}
