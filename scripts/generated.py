"""Parts of pages that scripts make: the marks around them, `--write`, tables in Markdown.

A part stands between `<!-- scripts/NAME.py begins -->` and `<!-- scripts/NAME.py ends -->`; where a page has several,
the name of the part stands behind that of the script.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

Row = Sequence[str]


@dataclass(frozen=True)
class GeneratedPage:
    """A page, and what a script makes of it.

    Args:
        path: of the page.
        script: as the marks name it: `scripts/card_table.py`.
        parts: name → what makes the part; the name "" where there is one part only.
    """

    path: Path
    script: str
    parts: Mapping[str, Callable[[], str]]

    def renewed(self) -> str:
        """The text of the page with every part made anew.

        Raises:
            ValueError: the page lacks the marks of a part, or has them twice.
        """
        text = self.path.read_text(encoding="utf-8")
        for name, make in self.parts.items():
            begin, end = (
                f"<!-- {' '.join(filter(None, (self.script, name)))} {word} -->" for word in ("begins", "ends")
            )
            if text.count(begin) != 1 or text.count(end) != 1:
                raise ValueError(f"{self.path} must have each of {begin} and {end} once")
            before, rest = text.split(begin)
            text = f"{before}{begin}\n{make()}\n{end}{rest.split(end)[1]}"
        return text

    def main(self, description: str | None) -> None:
        """The command line of the script: print the parts, or write them into the page."""
        parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
        parser.add_argument("--write", action="store_true", help=f"into {self.path.relative_to(ROOT)}")
        if parser.parse_args().write:
            self.path.write_text(self.renewed(), encoding="utf-8")
        else:
            print("\n\n".join(make() for make in self.parts.values()))


def table(rows: Sequence[Row], numbers: int = 0) -> str:
    """Rows as a table in Markdown; the first is its head, the last `numbers` columns stand to the right."""
    width = len(rows[0])
    marks = ["---:" if column >= width - numbers else "---" for column in range(width)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], marks, *rows[1:]))


def cell(text: str) -> str:
    """Text that a cell of a table shows as it is."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[").replace("*", "\\*").strip()
