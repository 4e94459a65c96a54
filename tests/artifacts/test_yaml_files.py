"""YAML is counted as it is meant, against a brute-force count of what PyYAML makes of it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lasasr.artifacts import files, yaml_files
from lasasr.errors import LasasrError

ROOT = Path(__file__).parents[2]
SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(codec="ascii"), max_size=5)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab"), inner))


def nodes(value: Any) -> int:
    """Keys and values, as often as they are meant."""
    if isinstance(value, dict):
        return 1 + sum(1 + nodes(inner) for inner in value.values())
    return 1 + sum(map(nodes, value)) if isinstance(value, list) else 1


@given(VALUES)
@settings(max_examples=50, deadline=None)
def test_plain_values_come_back(value: Any) -> None:
    assert yaml_files.parse(yaml.safe_dump(value)) == value


@pytest.mark.parametrize("levels", range(1, 9))
def test_aliases_count_as_what_they_stand_for(levels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a0: &a0 [x, y]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, levels))
    meant = nodes(yaml.safe_load(text)) + 1  # and the document
    monkeypatch.setattr(yaml_files, "MOST_NODES", meant)
    yaml_files.check(text)
    monkeypatch.setattr(yaml_files, "MOST_NODES", meant - 1)
    with pytest.raises(yaml.YAMLError, match="aliases counted"):
        yaml_files.check(text)


@pytest.mark.parametrize("path", [*ROOT.glob("configs/**/*.yaml"), *ROOT.glob("recipes/**/*.yaml")], ids=str)
def test_what_is_shipped_is_far_below_the_bounds(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert yaml_files.parse(text) == yaml.safe_load(text)
    assert nodes(yaml.safe_load(text)) < yaml_files.MOST_NODES / 20


@pytest.mark.parametrize(("levels", "allowed"), [(files.MOST_DEPTH - 1, True), (files.MOST_DEPTH, False)])
def test_levels(levels: int, allowed: bool) -> None:
    text = "[" * levels + "]" * levels
    if allowed:
        assert isinstance(yaml_files.parse(text), list)
    else:
        with pytest.raises(yaml.YAMLError, match="levels"):
            yaml_files.parse(text)


def test_a_large_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("#" * (yaml_files.MOST_BYTES + 1))
    with pytest.raises(LasasrError, match=r"x\.yaml has more than 1 MiB"):
        yaml_files.read(tmp_path / "x.yaml")
