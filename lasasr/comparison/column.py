"""A column of one's own in a comparison: `lasasr compare ... --column my.module.NAME`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lasasr.comparison.entries import Entry
from lasasr.errors import LasasrError, UsageError


@dataclass(frozen=True)
class Column:
    """What stands in a column, said once; table, Markdown, page and comparison.json follow.

    Args:
        key: its name in comparison.json, a Python identifier.
        header: above the column, short.
        about: what it is, with its unit, for the legend.
        read: the runs of one system, one per seed → a number, a text, or None where it is not known. Each run has
            `card` (card.json), `summary` (results/<split>.json), `lines` (results/<split>.jsonl) and `folder`.
        form: how a number is printed, as `str.format` takes it.
        priority: columns of a lower number stay where there is little room; the shipped ones have 10, 20, ... 160.

    Raises:
        UsageError: `key` is no identifier, or `header` is empty.
    """

    key: str
    header: str
    about: str
    read: Callable[[Sequence[Entry]], float | str | None]
    form: str = "{:.2f}"
    priority: int = 65

    def __post_init__(self) -> None:
        if not self.key.isidentifier():
            raise UsageError(f"the key of a column must be an identifier, got {self.key!r}")
        if not self.header.strip():
            raise UsageError(f"the header of the column {self.key} is empty")

    def declaration(self) -> dict[str, Any]:
        """What comparison.json keeps of it, so that a card prints the column without this object."""
        return {"key": self.key, "header": self.header, "about": self.about, "priority": self.priority}

    def cell(self, name: str, entries: Sequence[Entry]) -> dict[str, Any]:
        """`value` and `text` for one system.

        Args:
            name: of the system, for messages.
            entries: its runs.

        Raises:
            LasasrError: `read` or `form` fails, or the value is of another kind.
        """
        try:
            value = self.read(entries)
            if value is None or isinstance(value, str):
                return {"value": value, "text": value}
            number = float(value)
            if not math.isfinite(number):
                raise ValueError(f"{number} is not finite")
            return {"value": number, "text": self.form.format(number)}
        except Exception as error:  # whatever a user's function raises
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise LasasrError(f"the column {self.key} cannot be read for {name}: {reason}") from error
