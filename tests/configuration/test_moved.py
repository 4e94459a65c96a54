"""Every module of version 0.1.0 is still there, or its new place is named where a module of a user's imports it."""

import importlib
import importlib.util
import json
import pkgutil
import re
from pathlib import Path

import pytest

from lasasr.configuration import gate, moved
from lasasr.configuration.moved import MOVED, current_path, import_hint
from lasasr.errors import UsageError

MODULES = json.loads((Path(__file__).parents[1] / "data" / "v0_1_0" / "modules.json").read_text())


def test_the_list_is_that_of_a_whole_package() -> None:
    assert len(MODULES) > 150
    assert "lasasr.attend.location" in MODULES


@pytest.mark.parametrize("name", MODULES)
def test_a_module_of_0_1_0_is_there_or_moved(name: str) -> None:
    if name == "lasasr.audio.frontend":  # whose one class moved, not all of it
        name = "lasasr.audio.frontend.Frontend"
    current = current_path(name)
    module, _, last = current.rpartition(".")
    found = importlib.util.find_spec(current if current[len(module) + 1].islower() or not module else module)
    assert found is not None, current
    if last[0].isupper():
        assert hasattr(importlib.import_module(module), last)


@pytest.mark.parametrize(
    ("line", "current"),
    [
        ("from lasasr import lengths", "lasasr.nn.lengths"),
        ("import lasasr.lengths", "lasasr.nn.lengths"),
        ("from lasasr.lengths import name", "lasasr.nn.lengths"),
        ("from lasasr.gathered import product", "lasasr.nn.shared_steps"),
        ("from lasasr.artifacts.runs import place", "lasasr.artifacts.run_choice.run_for"),
        ("from lasasr.attend.weights import Previous", "lasasr.attend.weights.PreviousWeights"),
        ("from lasasr.training.updates import Updates", "lasasr.training.token_normalized"),
        ("from lasasr.training import meter", "lasasr.training.metric_logger"),
    ],
)
def test_an_import_of_0_1_0_in_a_users_module_is_told_where_to_look(
    line: str, current: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "of_a_user.py").write_text(f"{line}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LASASR_ALLOW", "of_a_user")
    with pytest.raises(UsageError, match=rf"it is now {re.escape(current)}\)$"):
        gate.resolve("of_a_user.Attention", "attend")


def test_other_errors_get_no_hint() -> None:
    assert import_hint(ImportError("cannot import name 'x' from 'own' (own.py)", name="own")) == ""
    assert import_hint(ValueError("lasasr.lengths")) == ""
    assert MOVED["lasasr.lengths"] == "lasasr.nn.lengths"


@pytest.mark.parametrize("current", sorted(set(MOVED.values())))
def test_what_has_moved_is_where_the_table_says(current: str) -> None:
    pkgutil.resolve_name(current)


def test_a_value_that_never_did_what_it_was_called_has_another_name() -> None:
    old = {"loss": {"prior": "uniform", "label_smoothing": 0.1}, "seed": 1}
    assert moved.current_keys(old) == {"loss": {"prior": "unigram", "label_smoothing": 0.1}, "seed": 1}
    assert old["loss"] == {"prior": "uniform", "label_smoothing": 0.1}  # a copy
    for kept in ({"loss": {"prior": "even"}}, {"loss": {}}, {"lm": {"prior": "uniform"}}, {}):
        assert moved.current_keys(kept) == kept
        assert not moved.renamed_values(kept)
