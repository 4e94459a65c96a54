"""The table of the keys of card.json in docs/card.md, made from the class that reads and writes them.

python scripts/card_table.py            print it
python scripts/card_table.py --write    put it into docs/card.md
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from lasasr.artifacts.run_card import MEANING, UNIT, RunCard
from lasasr.configuration import typed

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "card.md"
BEGIN, END = "<!-- scripts/card_table.py begins -->", "<!-- scripts/card_table.py ends -->"
TITLES = ("key", "type", "unit", "meaning")

Row = tuple[str, ...]


def main() -> None:
    """Print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    if parser.parse_args().write:
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(table())


def replaced(page: str) -> str:
    """`page` with the table between its marks made anew."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def table() -> str:
    """One row per key, in Markdown."""
    rows = [TITLES, tuple("---" for _ in TITLES), *rows_of(RunCard)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


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


if __name__ == "__main__":
    main()
