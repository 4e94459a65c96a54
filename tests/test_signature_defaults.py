"""Defaults read from the source are those that Python finds in the classes themselves."""

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

from lasasr.signature_defaults import without_defaults

CONFIGS = Path(__file__).parent.parent / "configs"


def parts(value: Any) -> list[dict[str, Any]]:
    """Every mapping with a `_target_`, at any depth."""
    if not isinstance(value, dict):
        return []
    inner = [part for one in value.values() for part in parts(one)]
    return [value, *inner] if str(value.get("_target_", "")).startswith("lasasr.") else inner


SHIPPED = [
    part
    for path in sorted(CONFIGS.glob("*/*.yaml"))
    if path.parent.name in ("search", "corpus")  # what names of results are made of
    for part in parts(yaml.safe_load(path.read_text(encoding="utf-8")))
]


def test_there_are_parts_to_read() -> None:
    assert {"lasasr.search.beam.BeamSearch", "lasasr.search.limits.Limits"} <= {part["_target_"] for part in SHIPPED}


@pytest.mark.parametrize("part", SHIPPED, ids=lambda part: part["_target_"])
def test_a_key_goes_if_it_has_the_default_of_the_class(part: dict[str, Any]) -> None:
    module, _, name = part["_target_"].rpartition(".")
    made = getattr(importlib.import_module(module), name)
    plain = {key: value for key, value in part.items() if not isinstance(value, dict | list)}
    gone = set(plain) - set(without_defaults(plain))
    parameters = inspect.signature(made).parameters
    expected = {
        key
        for key, value in plain.items()
        if key in parameters
        and type(value) in (type(parameters[key].default), int, float)
        and isinstance(value, bool) == isinstance(parameters[key].default, bool)
        and value == parameters[key].default
    }
    if ".search." in part["_target_"]:
        assert gone == expected
    else:
        assert gone <= expected  # a default that is a constant's name is not read, and its key stays


def test_a_nested_part_goes_where_the_parameter_is_of_its_class() -> None:
    limits = {"_target_": "lasasr.search.limits.Limits", "max_ratio": 2, "min_ratio": 0.0}
    beam = {"_target_": "lasasr.search.beam.BeamSearch", "beam": 10.0}
    assert without_defaults({**beam, "limits": limits}) == {"_target_": beam["_target_"]}
    changed = {**limits, "max_ratio": 1.5}
    kept = without_defaults({**beam, "limits": changed})["limits"]
    assert kept == {"_target_": limits["_target_"], "max_ratio": 1.5}
    coverage = {"_target_": "lasasr.search.fusion.GNMTCoverage"}  # two classes could stand here: which one must show
    assert without_defaults({**beam, "coverage": coverage})["coverage"] == coverage


def test_true_is_not_one() -> None:
    beam = {"_target_": "lasasr.search.beam.BeamSearch"}
    assert without_defaults({**beam, "normalise": 0})["normalise"] == 0
    assert without_defaults({**beam, "nbest": True})["nbest"] is True


@pytest.mark.parametrize(
    "target",
    ["their.module.Class", "lasasr.search.beam.Absent", "lasasr...beam.X", "lasasr/../../etc.X", "", "lasasr.X"],
)
def test_what_is_no_class_of_the_toolkit_keeps_all(target: str) -> None:
    part = {"_target_": target, "beam": 10, "inner": {"a": None}}
    assert without_defaults(part) == part
