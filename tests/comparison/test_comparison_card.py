"""A published card says what was run, not where."""

import pytest

from lasasr.comparison.card import placeless


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
