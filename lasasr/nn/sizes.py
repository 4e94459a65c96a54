"""Sizes of models that make sense: what is outside ends before memory is asked for it, named."""

from __future__ import annotations

from typing import Final

WIDEST: Final = 1 << 20  # units of a layer
DEEPEST: Final = 1000  # layers


def check_widths(**widths: int | None) -> None:
    """Refuse widths of layers outside 1 to `WIDEST`; None is none.

    Raises:
        ValueError: names the argument and its value.
    """
    _check(WIDEST, {name: width for name, width in widths.items() if width is not None})


def check_depth(**depths: int) -> None:
    """Refuse numbers of layers outside 1 to `DEEPEST`.

    Raises:
        ValueError: names the argument and its value.
    """
    _check(DEEPEST, depths)


def _check(most: int, sizes: dict[str, int]) -> None:
    for name, size in sizes.items():
        if not 1 <= size <= most:
            bound = "≥ 1" if size < 1 else f"≤ {most:,}"
            raise ValueError(f"{name} must be {bound}, got {size}")
