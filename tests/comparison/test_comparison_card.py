"""A published card says what was run, not where."""

import json
import re
from pathlib import Path

import pytest

from lasasr.comparison.card import placeless, read
from lasasr.errors import LasasrError


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("lasasr train a/b -m attend=dot,location seed=1,2", "lasasr train a/b -m attend=dot,location seed=1,2"),
        ("lasasr train --resume /home/me/runs/a/sweep-x", "lasasr train --resume sweep-x"),
        ("lasasr train a/b corpus.root=/data/x +y.z=/w 'q=[1, 2]'", "lasasr train a/b corpus.root=x +y.z=w 'q=[1, 2]'"),
        ("lasasr compare '/my runs/a=b' runs/c --out=/tmp/o.json", "lasasr compare a=b runs/c --out=o.json"),
    ],
)
def test_commands_lose_their_places(command: str, expected: str) -> None:
    assert placeless(command) == expected


ROOT = Path(__file__).parents[2]
CARDS = sorted([*ROOT.glob("recipes/*/results/*.json"), *ROOT.glob("tests/data/**/published/*.json")])
FOUR_SEEDS = ROOT / "recipes" / "synthetic" / "results" / "hard.json"  # has verdicts about systems


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.name)
def test_published_cards_of_any_version_are_read(path: Path) -> None:
    assert read(path) == json.loads(path.read_text())


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("systems[0].percent", "low", "is 'low', not a whole number or a number"),
        ("systems[0].name", 3, "is 3, not a text"),
        ("systems[1].intervals.mixed", [1, 2], "is [1, 2], not a part with keys"),
        ("systems[1].intervals.mixed.low", "0", "is '0', not a whole number or a number or nothing"),
        ("systems[0].alignment", 5, "is 5, not a part with keys or nothing"),
        ("systems[0].aligned_at_step.1", [1], "is [1], not a whole number or a number or nothing"),
        ("pairs[0].points", None, "is null, not a whole number or a number"),
        ("pairs[0].systems.p", {}, "is {}, not a whole number or a number or nothing"),
        ("pairs[0].verdict", True, "is true, not a text"),
    ],
)
def test_a_value_of_another_kind_is_named(key: str, value: object, reason: str, tmp_path: Path) -> None:
    content = json.loads(FOUR_SEEDS.read_text())
    *outer, last = [int(word) if is_index else word for is_index, word in places(key)]
    part = content
    for word in outer:
        part = part[word]
    part[last] = value
    path = tmp_path / "card.json"
    path.write_text(json.dumps(content))
    with pytest.raises(LasasrError, match=f"^{re.escape(f'{path} is damaged: {key} {reason}')}[^\n]*$"):
        read(path)


def places(key: str) -> list[tuple[bool, str]]:
    """The words of `a[0].b.1`, each with whether it is an index."""
    return [(bool(match[1]), match[1] or match[2]) for match in re.finditer(r"\[(\d+)\]|(\w+)", key)]


def test_a_row_without_its_name_is_refused(tmp_path: Path) -> None:
    content = json.loads(FOUR_SEEDS.read_text())
    del content["systems"][1]["name"]
    (tmp_path / "card.json").write_text(json.dumps(content))
    with pytest.raises(LasasrError, match=r"card\.json is damaged: it lacks systems\[1\]\.name"):
        read(tmp_path / "card.json")
