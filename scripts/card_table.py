"""The table of the keys of card.json in docs/card.md, made from the class that reads and writes them.

python scripts/card_table.py            print it
python scripts/card_table.py --write    put it into docs/card.md
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, get_args, get_origin, get_type_hints

from generated import ROOT, GeneratedPage, Row
from generated import table as markdown

from lasasr.artifacts.run_card import MEANING, UNIT, RunCard
from lasasr.configuration import typed

TITLES: Final = ("key", "type", "unit", "meaning")


def table() -> str:
    """One row per key, in Markdown."""
    return markdown([TITLES, *rows_of(RunCard)])


def rows_of(card: type[Any], place: str = "") -> Iterator[Row]:
    """A row for each key of a part of the card, followed by the keys that stand below it."""
    hints = get_type_hints(card)
    for key in fields(card):
        if MEANING not in key.metadata:
            continue
        name, hint = f"{place}{key.name}", hints[key.name]
        yield f"`{name}`", typed.described(hint), key.metadata[UNIT], key.metadata[MEANING]
        for kind in (hint, *get_args(hint)):
            if is_dataclass(kind):
                yield from rows_of(kind, f"{name}.")  # type: ignore[arg-type]
            elif get_origin(kind) is Mapping and is_dataclass(get_args(kind)[-1]):
                yield from rows_of(get_args(kind)[-1], f"{name}.<split>.")


PAGE: Final = GeneratedPage(ROOT / "docs" / "card.md", "scripts/card_table.py", {"": table})

if __name__ == "__main__":
    PAGE.main(__doc__)
