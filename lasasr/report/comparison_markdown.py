"""A comparison as Markdown for a README with its birth certificate, and how it gets between the marks of a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lasasr.errors import UsageError
from lasasr.report.comparison_columns import Column, columns, searched_with, test_set


def comparison_markdown(made: Mapping[str, Any]) -> str:
    """Verdict, table, what the columns are, and where the numbers come from.

    Args:
        made: the contents of comparison.json or of a card.
    """
    shown = [one for one in columns(made) if one.published]
    blocks = [" ".join(made["verdict"]), table(shown), "\n".join(_certificate(made, shown))]
    return "\n\n".join(escaped(one) if place == 0 else one for place, one in enumerate(blocks))


def table(shown: Sequence[Column]) -> str:
    """Columns as a Markdown table."""
    heads = [escaped(one.header) for one in shown]
    marks = ["---:" if one.number else "---" for one in shown]
    rows = zip(*([_cell(one, cell) for cell in one.cells] for one in shown), strict=True)
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, marks, *rows))


def _cell(column: Column, cell: str) -> str:
    return f"`{cell.replace('|', ' ').replace('`', ' ')}`" if column.key == "system" else escaped(cell)


def escaped(text: str) -> str:
    """Text in which Markdown sees no mark of its own."""
    for sign in "\\|`*_<[":
        text = text.replace(sign, f"\\{sign}")
    return text


def _certificate(made: Mapping[str, Any], shown: Sequence[Column]) -> Iterator[str]:
    yield f"* Test set: {escaped(str(made['split']))}, {test_set(made)}; normalizer {escaped(str(made['normalizer']))}."
    yield f"* Search: `{searched_with(made).replace('`', ' ')}`."
    about = {one.header: one.about for one in shown if one.key not in ("system", "percent", "cer_percent", "seeds")}
    yield f"* Columns: {'; '.join(f'{escaped(header)}: {escaped(text)}' for header, text in about.items())}."
    yield f"* Budgets: {_budgets(made)}."
    yield f"* {_origin(made)}"


def _budgets(made: Mapping[str, Any]) -> str:
    told = []
    for one in made["budgets"].values():
        state = {True: "equal within 2 %", False: "not equal", None: "not known"}[one["matched"]]
        told.append(f"{one['what']} {state}")
    return ", ".join(told)


def _origin(made: Mapping[str, Any]) -> str:
    """Commands, commits, seeds and hardware of all runs."""
    every = [one for system in made["systems"] for one in system["runs"]]

    def distinct(values: Iterator[Any]) -> str:
        return ", ".join(dict.fromkeys(str(one) for one in values if one)) or "not known"

    commands = ", ".join(f"`{one}`" for one in dict.fromkeys(run["command"] for run in every if run.get("command")))
    commits = distinct(_short(one.get("commit")) for one in every)
    seeds = distinct(iter(sorted({one["seed"] for one in every})))
    machines = distinct(_machine(one) for one in every)
    return f"Runs: {commands or 'not known'}; seeds {seeds}; commit {commits}; {escaped(machines)}."


def _short(commit: str | None) -> str:
    """The first digits, and that the code differed from them."""
    if not commit:
        return ""
    return commit[:7] + (" (changed)" if commit.endswith("+changed") else "")


def _machine(run: Mapping[str, Any]) -> str:
    about = run.get("hardware") or {}
    if not about:
        return ""
    devices = about.get("gpus") or []
    told = f"{about.get('cores')} cores of {about.get('processor')}"
    if devices:
        told = f"{len(devices)} × {devices[0]}, {told}"
    return f"{told}, {run['precision']}" if run.get("precision") else told


def marks(name: str) -> tuple[str, str]:
    """The lines of a page between which the table of a card stands."""
    return f"<!-- lasasr compare {name} begins -->", f"<!-- lasasr compare {name} ends -->"


def between_marks(page: str, name: str, text: str) -> str:
    """`page` with `text` between the marks of `name`.

    Raises:
        UsageError: the page does not have both marks, once each and in order.
    """
    begin, end = marks(name)
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended) or begin in rest or end in after:
        raise UsageError(f"the page needs these two lines once each, where the table shall stand: {begin} and {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"
