"""Rows → the page and the one line."""

from __future__ import annotations

import platform
import textwrap
from collections.abc import Sequence

from parity.check import Row

BEGIN, END = "<!-- make parity begins -->", "<!-- make parity ends -->"
HEAD = ("check", "peer and version", "largest difference", "note")


def line(rows: Sequence[Row]) -> str:
    """`parity checks N | equal N | largest difference X | skipped N (reasons)`."""
    checks = [row for row in rows if row.state in ("equal", "different")]
    skipped = [row for row in rows if row.state == "skipped"]
    reasons = "; ".join(sorted({f"{row.peer} {row.note}" for row in skipped}))
    equal = sum(row.state == "equal" for row in checks)
    largest = shown(worst(checks))
    note = f" ({reasons})" if skipped else ""
    return f"parity checks {len(checks)} | equal {equal} | largest difference {largest} | skipped {len(skipped)}{note}"


def worst(rows: Sequence[Row]) -> float | None:
    """The largest difference; NaN where there is one."""
    differences = [row.difference for row in rows if row.difference is not None]
    return max(differences, key=lambda value: (value != value, value), default=None)


def shown(difference: float | None) -> str:
    """A difference in the table."""
    if difference is None:
        return "none"
    return f"{difference:.0f}" if difference.is_integer() else f"{difference:.1e}"


def table(rows: Sequence[Row]) -> str:
    """In Markdown."""
    cells = [HEAD, ("---", "---", "---:", "---"), *(_cells(row) for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _cells(row: Row) -> tuple[str, ...]:
    number = shown(row.difference)
    if row.state != "equal":
        number = row.state if row.difference is None else f"{row.state}: {number}"
    return tuple(cell.replace("|", "\\|") for cell in (row.name, row.peer, number, row.note))


def machine() -> str:
    """The class of this machine, in words."""
    return f"{platform.system()} on {platform.machine()}, Python {platform.python_version()}"


def replaced(page: str, rows: Sequence[Row], about: str) -> str:
    """`page` with what stands between its marks written anew.

    Raises:
        ValueError: the page has no such marks.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"the page must hold {BEGIN} and {END} once each")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    words = "\n".join(textwrap.wrap(about, 100))
    return f"{before}{BEGIN}\n{words}\n\n    {line(rows)}\n\n{table(rows)}\n{END}{after}"
