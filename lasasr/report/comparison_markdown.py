"""A comparison as Markdown for a README, with the provenance of its numbers, and its insertion between two marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lasasr import escaping
from lasasr.artifacts.provenance import machine, short_commit
from lasasr.comparison.budget import budget_words
from lasasr.comparison.seed_order import seed_order
from lasasr.errors import UsageError
from lasasr.report.comparison_columns import TableColumn, columns, searched_with, test_set


def comparison_markdown(document: Mapping[str, Any]) -> str:
    """Verdict, table, legend of the columns, and provenance of the numbers.

    Args:
        document: the contents of comparison.json or of a card.
    """
    shown = [column for column in columns(document) if column.published]
    blocks = [" ".join(document["verdict"]), table(shown), "\n".join(_certificate(document, shown))]
    return "\n\n".join(escaped(block) if index == 0 else block for index, block in enumerate(blocks))


def table(shown: Sequence[TableColumn]) -> str:
    """Columns as a Markdown table."""
    heads = [escaped(column.header) for column in shown]
    marks = ["---:" if column.number else "---" for column in shown]
    rows = zip(*([_cell(column, cell) for cell in column.cells] for column in shown), strict=True)
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, marks, *rows))


def _cell(column: TableColumn, cell: str) -> str:
    return _code(cell.replace("|", " ")) if column.key == "system" else escaped(cell)


def escaped(text: str) -> str:
    """Text in one line whose signs have no meaning in Markdown."""
    text = escaping.escaped(text)
    for sign in "\\|`*_<[":
        text = text.replace(sign, f"\\{sign}")
    return text


def _code(text: str) -> str:
    """Text in one line as code."""
    return f"`{escaping.escaped(text).replace('`', ' ')}`"


def _certificate(document: Mapping[str, Any], shown: Sequence[TableColumn]) -> Iterator[str]:
    split, normalizer = (escaped(str(document[name])) for name in ("split", "normalizer"))
    yield f"* Test set: {split}, {test_set(document)}; normalizer {normalizer}."
    yield f"* Search: {_code(searched_with(document))}."
    explanations = {
        column.header: column.about
        for column in shown
        if column.key not in ("system", "percent", "cer_percent", "seeds")
    }
    yield f"* Columns: {'; '.join(f'{escaped(header)}: {escaped(text)}' for header, text in explanations.items())}."
    yield f"* Budgets: {budget_words(document['budgets'])}."
    yield f"* {_origin(document)}"


def _origin(document: Mapping[str, Any]) -> str:
    """Commands, commits, seeds and hardware of all runs."""
    runs = [run for system in document["systems"] for run in system["runs"]]

    def distinct(values: Iterator[Any]) -> str:
        return ", ".join(dict.fromkeys(str(value) for value in values if value)) or "not known"

    commands = ", ".join(map(_code, dict.fromkeys(str(run["command"]) for run in runs if run.get("command"))))
    commits = distinct(short_commit(run.get("commit")) for run in runs)
    seeds = distinct(iter(sorted({str(run["seed"]) for run in runs}, key=seed_order)))
    machines = distinct(_machine(run) for run in runs)
    return f"Runs: {commands or 'not known'}; seeds {seeds}; commit {commits}; {escaped(machines)}."


def _machine(run: Mapping[str, Any]) -> str:
    text = machine(run.get("hardware"))
    return f"{text}, {run['precision']}" if text and run.get("precision") else text


def marks(name: str) -> tuple[str, str]:
    """The lines of a page between which the table of a card is written."""
    return f"<!-- lasasr compare {name} begins -->", f"<!-- lasasr compare {name} ends -->"


def between_marks(page: str, name: str, text: str) -> str:
    """`page` with `text` between the marks of `name`.

    Raises:
        UsageError: the page does not have both marks, once each and in order.
    """
    begin, end = marks(name)
    before, begun, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not (begun and ended) or begin in rest or end in after:
        raise UsageError(f"the page needs these two lines once each, where the table shall stand: {begin} and {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"
