"""A column of one's own: read from the runs, kept in comparison.json, printed without the object that read it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from comparison_runs import write_run

from lasasr.cli.main import main
from lasasr.comparison import card
from lasasr.comparison.column import Column
from lasasr.comparison.document import document
from lasasr.comparison.entries import DecodedRun, find
from lasasr.comparison.grouping import groups
from lasasr.errors import LasasrError, UsageError
from lasasr.metrics.significance.verdict import Rules
from lasasr.report.comparison_columns import columns
from lasasr.report.comparison_markdown import comparison_markdown


class Longest(Column):
    """Words of the longest hypothesis."""

    key, header, about, form, priority = "longest", "longest", "words of the longest hypothesis", "{:.0f} w", 15

    def read(self, runs: Sequence[DecodedRun]) -> float:
        return max(len(line["hypothesis"].split()) for run in runs for line in run.lines)


def column(name: str, reader: Any, **attributes: Any) -> Column:
    """One that is read by a function."""
    plain = {"key": name, "header": name, "about": "", "read": lambda self, runs: reader(runs), **attributes}
    kind: type[Column] = type(name.title(), (Column,), plain)
    return kind()


LONGEST = Longest()


def compare_with(folder: Path, *own: Column) -> dict[str, Any]:
    runs = [write_run(folder, attend, seed, 0.2).folder for attend in ("dot", "additive") for seed in (1, 2)]
    selection = find(runs)
    return document(selection, *groups(selection), None, Rules(resamples=50), own)


def test_it_stands_in_every_table_and_in_the_card(tmp_path: Path) -> None:
    compared = compare_with(tmp_path, LONGEST)
    read = json.loads(json.dumps(compared))  # as the file holds it
    shown_column = next(column for column in columns(read) if column.key == "longest")
    expected = {
        system["name"]: LONGEST.read(list(find(runs_of(tmp_path, system)).runs)) for system in compared["systems"]
    }
    shown = dict(
        zip([system["name"] for system in sorted(compared["systems"], key=rate)], shown_column.cells, strict=True)
    )
    assert shown == {name: f"{value:.0f} w" for name, value in expected.items()}
    assert "| longest |" in comparison_markdown(card.card(compared))
    assert "words of the longest hypothesis" in comparison_markdown(card.card(compared))


def rate(system: dict[str, Any]) -> tuple[float, str]:
    return system["percent"], system["name"]


def runs_of(folder: Path, system: dict[str, Any]) -> list[Path]:
    return [next(folder.rglob(run["name"])) for run in system["runs"]]


def test_a_comparison_without_columns_of_ones_own_reads_as_before(tmp_path: Path) -> None:
    compared = compare_with(tmp_path)
    del compared["columns"]
    for system in compared["systems"]:
        del system["own"]
    assert next(column.key for column in columns(compared)) == "system"


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (lambda runs: runs[0].card["nothing"], "KeyError: 'nothing'"),
        (lambda runs: float("nan"), "nan is not finite"),
        (lambda runs: [1], "TypeError"),
    ],
)
def test_what_cannot_be_read_names_column_and_system(read: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(LasasrError, match=f"the column odd cannot be read for .*: .*{reason}"):
        compare_with(tmp_path, column("odd", read))


def test_text_and_nothing_are_printed_as_they_are(tmp_path: Path) -> None:
    words = column("words", lambda runs: runs[0].settings.choices.get("attend"))
    compared = compare_with(tmp_path, words, column("none", lambda runs: None))
    shown = {column.key: column for column in columns(compared)}
    assert sorted(shown["words"].cells) == ["additive", "dot"]
    assert not shown["words"].number
    assert "none" not in shown


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"key": "a b"}, "must be an identifier, got 'a b'"),
        ({"header": " "}, "header of the column Odd is empty"),
        ({"about": None}, "the column Odd sets no about, a text"),
    ],
)
def test_a_column_says_what_it_is(attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        column("odd", lambda runs: 1.0, **attributes)


OWN = """
from collections.abc import Sequence

from lasasr.comparison.column import Column
from lasasr.comparison.entries import Entry

class Utterances(Column):  # as docs/extending.md of 0.2.0 writes it
    key, header, about, form = "heard", "heard", "utterances decoded", "{:.0f}"

    def read(self, entries: Sequence[Entry]) -> float:
        return sum(len(entry.lines) for entry in entries)

class Steps(Utterances):
    key = "steps"

class NoColumn:
    pass
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_columns.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LASASR_ALLOW", "own_columns")
    monkeypatch.chdir(tmp_path)
    return "own_columns"


def test_the_command_prints_it(module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(write_run(tmp_path, attend, 1, 0.2).folder) for attend in ("dot", "additive")]
    assert main(["compare", *runs, "--column", f"{module}.Utterances", "--markdown"]) == 0
    assert "| heard |" in capsys.readouterr().out
    assert json.loads(Path("comparison.json").read_text())["columns"][0]["key"] == "heard"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_columns.NoColumn", "column takes a subclass of lasasr.comparison.column.Column"),
        ("own_columns.Missing", "does not exist; nearest: own_columns.Steps"),
        ("os.system", "outside the allowed prefixes"),
        ("own_columns.Steps", "has the key steps, which another column has"),
    ],
)
def test_a_wrong_one_is_one_line(
    name: str, message: str, module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [str(write_run(tmp_path, attend, 1, 0.2).folder) for attend in ("dot", "additive")]
    assert main(["compare", *runs, "--column", name]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
