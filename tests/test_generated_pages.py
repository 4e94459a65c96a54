"""Parts of pages that are made from the code are those of the code as it is."""

from __future__ import annotations

import ast
import importlib
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from comparison_runs import write_run

from lasasr.cli.main import ENDING, VERBS, main
from lasasr.comparison.document import document
from lasasr.comparison.entries import find
from lasasr.comparison.grouping import groups
from lasasr.errors import LasasrError, UsageError
from lasasr.metrics.significance.verdict import Rules

ROOT = Path(__file__).parent.parent
SCRIPTS = ("attention_table", "card_table", "commands_table", "configuration_table", "files_table")
VARIABLE = re.compile(r"[A-Z]+(_[A-Z]*)+|RANK")
READ = re.compile(r"os\.environ|getenv")


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """What stands below a heading, up to the next one of its level."""
    level = title.partition(" ")[0]
    return re.split(rf"^{level} ", text.split(f"\n{title}\n")[1], flags=re.MULTILINE)[0]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_page_is_what_its_script_makes(name: str) -> None:
    script: Any = importlib.import_module(name)
    assert script.PAGE.path.read_text(encoding="utf-8") == script.PAGE.renewed(), f"python scripts/{name}.py --write"
    assert script.PAGE.script == f"scripts/{name}.py"


def test_every_script_with_a_page_is_tried() -> None:
    users = {path.stem for path in (ROOT / "scripts").glob("*.py") if "GeneratedPage(" in path.read_text()}
    assert users == set(SCRIPTS)


def test_a_page_without_the_marks_is_refused(tmp_path: Path) -> None:
    generated: Any = importlib.import_module("generated")
    path = tmp_path / "page.md"
    path.write_text("before\n<!-- s.py part begins -->\nold\n<!-- s.py part ends -->\nafter\n")
    renewed = generated.GeneratedPage(path, "s.py", {"part": lambda: "new"}).renewed()
    assert renewed == "before\n<!-- s.py part begins -->\nnew\n<!-- s.py part ends -->\nafter\n"
    with pytest.raises(ValueError, match=r"s\.py other begins"):
        generated.GeneratedPage(path, "s.py", {"other": lambda: "new"}).renewed()


def test_every_key_has_a_meaning() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|.*\| *(.*?) *\|$", page("configuration"), re.MULTILINE)
    assert len(rows) > 300
    assert [key for key, meaning in rows if not meaning] == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_the_options_that_its_help_prints(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    listed = capsys.readouterr().out.partition("\nexamples:")[0]
    printed = set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", listed, re.MULTILINE)) - {"--help"}
    shown = set(re.findall(r"^\| (?:`-\w`, )?`(--[\w-]+)`", section(page("commands"), f"## `{verb}`"), re.MULTILINE))
    assert shown == printed


def test_the_exit_statuses_are_those_of_the_command() -> None:
    ended = {128 + number for number in (*ENDING, signal.SIGPIPE)}
    statuses = {
        int(number) for number in re.findall(r"^\| (\d+) \|", section(page("commands"), "## Exit status"), re.M)
    }
    assert statuses == {0, LasasrError.exit_status, UsageError.exit_status, *ended}


def variables_read() -> Iterator[str]:
    """Names of environment variables in the files that read some, and in the configuration."""
    for path in (ROOT / "lasasr").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if READ.search(source):
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and VARIABLE.fullmatch(node.value):
                    yield node.value
    for path in (ROOT / "configs").rglob("*.yaml"):
        yield from re.findall(r"oc\.env:(\w+)", path.read_text(encoding="utf-8"))


def test_every_environment_variable_is_on_the_page() -> None:
    listed = section(page("commands"), "## Environment variables")
    rows = re.findall(r"^\| (`.*?`) \|", listed, re.MULTILINE)
    shown = {name.rstrip("*") for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert shown == set(variables_read())


def test_the_keys_of_a_comparison_are_on_the_page(tmp_path: Path) -> None:
    for attend, rate in (("dot", 0.1), ("additive", 0.2)):
        for seed in (1, 2):
            write_run(tmp_path, attend, seed, rate)
    selection = find(sorted(path.parent for path in tmp_path.rglob("card.json")))
    systems, notes = groups(selection)
    comparison = document(selection, systems, notes, None, Rules(resamples=50))
    of_comparison, of_system, of_pair = tables(section(page("files"), "## A comparison"))
    assert of_comparison == set(comparison)
    assert of_system == set(comparison["systems"][0])
    assert of_pair == set(comparison["pairs"][0])


def tables(text: str) -> list[set[str]]:
    """The keys in the first column of each table."""
    rows = [re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE) for table in re.split(r"\n\n(?=\| key)", text)[1:]]
    return [{key for row in table for key in re.findall(r"`([^`]+)`", row)} for table in rows]
