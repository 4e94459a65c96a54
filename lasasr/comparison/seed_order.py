"""The order in which seeds are listed: by number, as a reader expects it, and not as text, where 10 comes before 2."""

from __future__ import annotations


def seed_order(seed: str) -> tuple[bool, int, str]:
    """Key of `sorted`: numbers by size, then what is none, as the "?" of a run that did not say it."""
    try:
        return False, int(seed), seed
    except ValueError:
        return True, 0, seed
