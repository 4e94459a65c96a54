"""How the content of a split differs from what it was, in a few words."""

from __future__ import annotations

from collections.abc import Mapping

from lasasr.data.content import Row

_FIELDS = {"text": "text", "speaker": "speaker", "audio": "recording"}  # of a row, and their names in messages


def how_rows_differ(before: Mapping[str, Row], now: Mapping[str, Row]) -> str:
    """`3 texts changed, 1 recording changed, 2 utterances gone (first: u17)`; "" where the rows are the same.

    Args:
        before, now: id → row, in their order; the order is compared where nothing else differs.
    """
    counts: dict[str, int] = {}
    first = ""
    for name in [*now, *(name for name in before if name not in now)]:
        for change in _changes(before.get(name), now.get(name)):
            counts[change] = counts.get(change, 0) + 1
            first = first or name
    if not counts:
        return "" if list(before) == list(now) else "the same utterances in another order"
    phrases = [_phrase(change, counts[change]) for change in (*_FIELDS.values(), "gone", "new") if change in counts]
    return f"{', '.join(phrases)} (first: {first})"


def _changes(before: Row | None, now: Row | None) -> list[str]:
    if before is None or now is None:
        return ["new" if before is None else "gone"]
    return [word for field, word in _FIELDS.items() if getattr(before, field) != getattr(now, field)]


def _phrase(change: str, count: int) -> str:
    if change in ("gone", "new"):
        return f"{count} utterance{'s' if count > 1 else ''} {change}"
    return f"{count} {change}{'s' if count > 1 else ''} changed"


def how_counts_differ(before: int | None, now: int, unit: str) -> str:
    """The same where only the numbers of utterances, or sentences, are recorded."""
    if before is None or before == now:
        return f"other content in {now} {unit}"
    return f"{now} {unit}, {before} before"
