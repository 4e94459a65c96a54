"""A column of one's own: read from the runs, kept in comparison.json, printed without the object that read it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from comparison_runs import write_run

from lasasr.comparison import card
from lasasr.comparison.column import Column
from lasasr.comparison.document import document
from lasasr.comparison.entries import Entry, find
from lasasr.comparison.grouping import groups
from lasasr.errors import LasasrError, UsageError
from lasasr.metrics.significance.verdict import Rules
from lasasr.report.comparison_columns import columns
from lasasr.report.comparison_markdown import comparison_markdown


def longest(entries: Sequence[Entry]) -> float:
    """Words of the longest hypothesis."""
    return max(len(line["hypothesis"].split()) for entry in entries for line in entry.lines)


LONGEST = Column("longest", "longest", "words of the longest hypothesis", longest, form="{:.0f} w", priority=15)


def made(folder: Path, *own: Column) -> dict[str, Any]:
    runs = [write_run(folder, attend, seed, 0.2).folder for attend in ("dot", "additive") for seed in (1, 2)]
    found = find(runs)
    return document(found, *groups(found), None, Rules(resamples=50), own)


def test_it_stands_in_every_table_and_in_the_card(tmp_path: Path) -> None:
    compared = made(tmp_path, LONGEST)
    read = json.loads(json.dumps(compared))  # as the file holds it
    column = next(one for one in columns(read) if one.key == "longest")
    expected = {
        system["name"]: longest(list(find(runs_of(tmp_path, system)).entries)) for system in compared["systems"]
    }
    shown = dict(zip([one["name"] for one in sorted(compared["systems"], key=rate)], column.cells, strict=True))
    assert shown == {name: f"{value:.0f} w" for name, value in expected.items()}
    assert "| longest |" in comparison_markdown(card.card(compared))
    assert "words of the longest hypothesis" in comparison_markdown(card.card(compared))


def rate(system: dict[str, Any]) -> tuple[float, str]:
    return system["percent"], system["name"]


def runs_of(folder: Path, system: dict[str, Any]) -> list[Path]:
    return [next(folder.rglob(run["name"])) for run in system["runs"]]


def test_a_comparison_without_columns_of_ones_own_reads_as_before(tmp_path: Path) -> None:
    compared = made(tmp_path)
    del compared["columns"]
    for system in compared["systems"]:
        del system["own"]
    assert next(one.key for one in columns(compared)) == "system"


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (lambda entries: entries[0].card["nothing"], "KeyError: 'nothing'"),
        (lambda entries: float("nan"), "nan is not finite"),
        (lambda entries: [1], "TypeError"),
    ],
)
def test_what_cannot_be_read_names_column_and_system(read: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(LasasrError, match=f"the column odd cannot be read for .*: .*{reason}"):
        made(tmp_path, Column("odd", "odd", "", read))


def test_text_and_nothing_are_printed_as_they_are(tmp_path: Path) -> None:
    words = Column("words", "words", "", lambda entries: entries[0].settings.choices.get("attend"))
    compared = made(tmp_path, words, Column("none", "none", "", lambda entries: None))
    shown = {one.key: one for one in columns(compared)}
    assert sorted(shown["words"].cells) == ["additive", "dot"]
    assert not shown["words"].number
    assert "none" not in shown


def test_a_key_must_be_an_identifier_and_a_header_something() -> None:
    with pytest.raises(UsageError, match="must be an identifier, got 'a b'"):
        Column("a b", "x", "", longest)
    with pytest.raises(UsageError, match="header of the column a is empty"):
        Column("a", " ", "", longest)
