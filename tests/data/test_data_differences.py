"""How a split differs from what it was, in words."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lasasr.data.content import Row
from lasasr.data.differences import how_counts_differ, how_rows_differ

BEFORE = {name: Row(f"t{name}", "s", f"a{name}") for name in "abcd"}


def but(**changes: Row | None) -> dict[str, Row]:
    every: dict[str, Row | None] = {**BEFORE, **changes}
    return {name: row for name, row in every.items() if row is not None}


@pytest.mark.parametrize(
    ("now", "message"),
    [
        (BEFORE, ""),
        (but(b=Row("x", "s", "ab")), "1 text changed (first: b)"),
        (but(b=Row("x", "s", "ab"), c=Row("x", "s", "y")), "2 texts changed, 1 recording changed (first: b)"),
        (but(d=Row("td", "other", "ad")), "1 speaker changed (first: d)"),
        (but(a=None, b=None), "2 utterances gone (first: a)"),
        (but(e=Row("te", "s", "ae")), "1 utterance new (first: e)"),
        (but(c=Row("tc", "s", "y"), a=None), "1 recording changed, 1 utterance gone (first: c)"),
        (dict(reversed(BEFORE.items())), "the same utterances in another order"),
    ],
)
def test_each_kind_is_counted(now: Mapping[str, Row], message: str) -> None:
    assert how_rows_differ(BEFORE, now) == message


def test_where_only_counts_are_known_they_are_told() -> None:
    assert how_counts_differ(12, 13, "sentences") == "13 sentences, 12 before"
    assert how_counts_differ(12, 12, "utterances") == "other content in 12 utterances"
    assert how_counts_differ(None, 12, "utterances") == "other content in 12 utterances"
