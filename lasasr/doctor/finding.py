"""What a check found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lasasr.escaping import escaped

_LONGEST = 60  # characters of an id in a line
Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One kind of fault in one split, or in the configuration.

    An "error" would corrupt a result or end the work half way; a "warning" deserves a look; a "note" is a fact.
    """

    kind: str
    severity: Severity
    split: str  # "" where it is not about a split
    count: int  # utterances, unless the advice says otherwise
    share: float | None  # of the split's utterances
    ids: tuple[str, ...]
    advice: str  # what it means and the way out

    def line(self, most: int = 3) -> str:
        """In one line, with the first ids."""
        where = f"{self.split}: " if self.split else ""
        share = f" ({percent(self.share)})" if self.share is not None else ""
        some = self.first_ids(most)
        counted = f", {self.count}{share}" if self.count else ""
        return escaped(f"{where}{self.kind}{counted}{f': {some}' if some else ''}; {self.advice}")

    def first_ids(self, most: int = 3) -> str:
        """The first ids, long ones shortened."""
        return ", ".join(map(_shortened, self.ids[:most])) + (", ..." if len(self.ids) > most else "")


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"


def percent(share: float) -> str:
    """A share in percent, with enough digits that a small one is not zero."""
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def about(kind: str, severity: Severity, split: str, ids: Iterable[str], of: int, advice: str) -> list[Finding]:
    """The finding about these utterances of a split of `of`; none, if there are none."""
    listed = tuple(ids)
    return [Finding(kind, severity, split, len(listed), len(listed) / of, listed, advice)] if listed else []


def overall(kind: str, severity: Severity, advice: str) -> Finding:
    """A finding about no utterance in particular."""
    return Finding(kind, severity, "", 0, None, (), advice)
