"""Reference above hypothesis with marked errors, in the format of NIST's sclite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lasasr.escaping import escaped
from lasasr.metrics.error_rates import AlignedPair, Metric, align

_NAMES = ("REF: ", "HYP: ")
_GAP = "*"


def aligned_text(reference: str, hypothesis: str, metric: Metric = "wer", width: int | None = None) -> str:
    """Two lines, one word (character, phone) below the other.

    Substituted, deleted and inserted units are in upper case; asterisks fill a side without a unit. Among
    characters a space is shown as "_"; control characters are written out (`\\u001b`).

    Args:
        width: characters after which a new pair of lines begins, an empty line between; by default it never does.
    """
    columns = [_column(pair) for pair in align(reference, hypothesis, metric)]
    blocks = _blocks(columns, None if width is None else width - len(_NAMES[0]))
    return "\n\n".join(
        "\n".join((name + " ".join(column[side] for column in block)).rstrip() for side, name in enumerate(_NAMES))
        for block in blocks
    )


def _column(pair: AlignedPair) -> tuple[str, str]:
    """Both sides of a pair, equally wide."""
    sides = [None if unit is None else unit.replace(" ", "_") for unit in pair]
    if not pair.correct:
        sides = [None if unit is None else unit.upper() for unit in sides]
    sides = [None if unit is None else escaped(unit) for unit in sides]  # as wide as it is shown
    wide = max(len(unit) for unit in sides if unit is not None)
    left, right = (_GAP * wide if unit is None else unit.ljust(wide) for unit in sides)
    return left, right


def _blocks(columns: Sequence[tuple[str, str]], width: int | None) -> Iterator[list[tuple[str, str]]]:
    """Cut columns so that each block is at most `width` wide, though never less than one column; at least one block."""
    block: list[tuple[str, str]] = []
    used = -1
    for column in columns:
        if block and width is not None and used + 1 + len(column[0]) > width:
            yield block
            block, used = [], -1
        block.append(column)
        used += 1 + len(column[0])
    yield block
