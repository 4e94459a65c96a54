"""A column of one's own in a comparison: `lasasr compare ... --column my.module.Class`."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from lasasr.comparison.entries import DecodedRun
from lasasr.configuration import users_parts
from lasasr.errors import LasasrError, UsageError


class Column(ABC):
    """The declaration of a column, used by the table, Markdown, page and comparison.json.

    Its constructor takes no arguments.

    Raises:
        UsageError: `key` is no identifier, or `header` is empty.
    """

    key: ClassVar[str]
    """Its name in comparison.json, a Python identifier."""
    header: ClassVar[str]
    """Title of the column, short."""
    about: ClassVar[str]
    """What it is, with its unit, for the legend."""
    form: ClassVar[str] = "{:.2f}"
    """How a number is printed, as `str.format` takes it."""
    priority: ClassVar[int] = 65
    """A narrow terminal shows the columns of the lowest numbers; the shipped ones have 10, 20, ... 160."""

    def __init__(self) -> None:
        name = type(self).__name__
        for attribute in ("key", "header", "about"):
            if not isinstance(getattr(self, attribute, None), str):
                raise UsageError(f"the column {name} sets no {attribute}, a text")
        if not self.key.isidentifier():
            raise UsageError(f"the key of the column {name} must be an identifier, got {self.key!r}")
        if not self.header.strip():
            raise UsageError(f"the header of the column {name} is empty")

    @abstractmethod
    def read(self, runs: Sequence[DecodedRun]) -> float | str | None:
        """The runs of one system, one per seed → a number, a text, or None where it is unknown.

        Args:
            runs: each has `card` (`lasasr.artifacts.run_card.RunCard`), `summary` (results/<split>.json), `lines`
                (results/<split>.jsonl), `settings` (the configuration) and `folder`.
        """

    def declaration(self) -> dict[str, Any]:
        """The part of comparison.json, from which a card prints the column without this object."""
        return {"key": self.key, "header": self.header, "about": self.about, "priority": self.priority}

    def cell(self, name: str, runs: Sequence[DecodedRun]) -> dict[str, Any]:
        """`value` and `text` for one system.

        Args:
            name: of the system, for messages.
            runs: its runs.

        Raises:
            LasasrError: `read` or `form` fails, or the value is of another kind.
        """
        try:
            value = self.read(runs)
            if value is None or isinstance(value, str):
                return {"value": value, "text": value}
            if not hasattr(value, "__float__"):
                raise TypeError(f"read returned a {type(value).__name__}, not a number, a text or None")
            number = float(value)
            if not math.isfinite(number):
                raise ValueError(f"{number} is not finite")
            return {"value": number, "text": self.form.format(number)}
        except Exception as error:  # whatever a user's function raises
            reason = users_parts.fault(error) or " ".join(f"{type(error).__name__}: {error}".split())
            raise LasasrError(f"the column {self.key} cannot be read for {name}: {reason}") from error
