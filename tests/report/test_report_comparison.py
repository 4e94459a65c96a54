"""The table of a comparison fits the terminal; its Markdown is a table, and goes between the marks of a page."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from comparison_runs import write_run
from rich.console import Console

from lasasr.comparison import card
from lasasr.comparison.document import document
from lasasr.comparison.entries import find
from lasasr.comparison.grouping import groups
from lasasr.errors import UsageError
from lasasr.metrics.significance.verdict import Rules
from lasasr.report.comparison_columns import SHIPPED_COLUMNS
from lasasr.report.comparison_markdown import between_marks, comparison_markdown, marks
from lasasr.report.comparison_table import comparison_table

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("runs")
    paths = [
        write_run(root, attend, seed, rate, facts={"aligned_at_step": step, "parameters": 21_345_678}).folder
        for attend, rate, step in (("multihead_multires_location", 0.2, 12000), ("dot", 0.3, None))
        for seed in (1, 2, 3)
    ]
    selection = find(paths)
    return document(selection, *groups(selection), None, Rules(resamples=200))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140, 250])
def test_no_line_is_wider_than_the_terminal(comparison: dict[str, Any], width: int) -> None:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(comparison_table(comparison, width))
    printed = captured.get()
    assert max(map(len, printed.splitlines())) <= width
    rates = [f"{system['percent']:.2f}" for system in comparison["systems"]]
    assert all(rate in printed for rate in rates)
    hidden = "not shown for want of width" in printed
    assert hidden == (width < 200)


@pytest.mark.parametrize("unknown", [False, True])
def test_the_terminal_says_whether_budgets_were_equal(comparison: dict[str, Any], unknown: bool) -> None:
    """As Markdown does; of texts of other toolkits nothing is known, which needs no words."""
    state = {"matched": None, "least": None, "most": None}
    budgets = {key: {**value, **(state if unknown else {})} for key, value in comparison["budgets"].items()}
    console = Console(width=1000)
    with console.capture() as captured:
        console.print(comparison_table({**comparison, "budgets": budgets}, 1000))
    (told,) = re.findall(r"\* Budgets: (.*)\.", comparison_markdown({**comparison, "budgets": budgets}))
    assert (told in captured.get()) == (not unknown)
    assert told.count(" not known") == (len(budgets) if unknown else 0)


def test_names_are_whole_at_80_columns(comparison: dict[str, Any]) -> None:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(comparison_table(comparison, 80))
    (row,) = [printed_line for printed_line in captured.get().splitlines() if printed_line.startswith("dot ")]
    assert re.search(r"[+]\d+\.\d\d +worse", row)


@pytest.mark.parametrize("sign", ["\n", "|", "`", "\u2028", "ü"])
def test_a_card_with_any_sign_in_a_name_makes_one_row_of_it(comparison: dict[str, Any], sign: str) -> None:
    """A card is anyone's file, and a name in it may come from a value of a configuration."""
    name = f"attend=d{sign}t"
    renamed = json.loads(json.dumps(comparison).replace('"attend=dot"', json.dumps(name)))
    rows = [text_line for text_line in comparison_markdown(renamed).splitlines() if text_line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert len(rows) == 2 + len(comparison["systems"])
    assert sum("`" in row for row in rows) == len(comparison["systems"])


def test_markdown_is_a_table(comparison: dict[str, Any]) -> None:
    rows = [text_line for text_line in comparison_markdown(comparison).splitlines() if text_line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert len(rows) == 2 + len(comparison["systems"])
    assert "`dot`" in rows[3]
    assert "never" in rows[3]


def test_a_name_with_signs_stays_in_its_cell(comparison: dict[str, Any]) -> None:
    odd = {**comparison["systems"][0], "name": "a=|*`<b>"}
    other = {**comparison["systems"][1], "name": "a=plain"}
    text = comparison_markdown({**comparison, "systems": [odd, other], "pairs": []} | {"verdict": ["a|b *c*"]})
    rows = [text_line for text_line in text.splitlines() if text_line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert text.startswith("a\\|b \\*c\\*")


def test_marks() -> None:
    begin, end = marks("results/x.json")
    page = f"before\n{begin}\nold\n{end}\nafter\n"
    once = between_marks(page, "results/x.json", "new\n\ntable")
    assert once == f"before\n{begin}\nnew\n\ntable\n{end}\nafter\n"
    assert between_marks(once, "results/x.json", "new\n\ntable") == once
    for bad in ("nothing", f"{end}\n{begin}", f"{page}{page}", begin):
        with pytest.raises(UsageError, match="needs these two lines once each"):
            between_marks(bad, "results/x.json", "new")


def published() -> list[tuple[Path, Path]]:
    """README and card of every table published in recipes/."""
    pages = sorted((ROOT / "recipes").glob("*/README.md"))
    named = [
        (page, name) for page in pages for name in re.findall(r"<!-- lasasr compare (\S+) begins -->", page.read_text())
    ]
    return [(page, page.parent / name) for page, name in named]


def test_every_card_in_recipes_stands_in_a_readme() -> None:
    shown = {path.resolve() for _, path in published()}
    assert {path.resolve() for path in (ROOT / "recipes").glob("*/results/*.json")} == shown


def test_published_tables_are_those_of_their_cards() -> None:
    for page, path in published():
        text = page.read_text(encoding="utf-8")
        name = path.relative_to(page.parent).as_posix()
        again = between_marks(text, name, comparison_markdown(card.read(path)))
        assert again == text, f"{page} is not what {name} says: lasasr compare {path} --readme {page}"


def test_every_shipped_column_has_a_priority_of_its_own() -> None:
    priorities = [declaration.priority for declaration in SHIPPED_COLUMNS]
    assert len(set(priorities)) == len(priorities)
    assert len({declaration.key for declaration in SHIPPED_COLUMNS}) == len(SHIPPED_COLUMNS)
    assert SHIPPED_COLUMNS[0].priority == min(priorities)  # the names of systems always stay
