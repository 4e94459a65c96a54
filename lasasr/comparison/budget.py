"""Whether the systems had the same to spend: steps, training time, parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

TOLERANCE: Final = 0.02  # of the smallest: ± 2 % counts as the same
BUDGETS: Final = {"steps": "training steps", "train_s": "training time", "parameters": "parameters"}


def budgets(systems: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """For each budget whether it is matched, and the least and most of it; None where a system does not tell."""
    found = {}
    for name, words in BUDGETS.items():
        spent = [one[name] for one in systems]
        known = [one for one in spent if one is not None]
        matched = None if len(known) < len(spent) else max(known) <= (1.0 + TOLERANCE) * min(known)
        found[name] = {"what": words, "matched": matched, "least": min(known, default=None)}
        found[name]["most"] = max(known, default=None)
    return found


def unmatched(found: dict[str, dict[str, Any]], asked: Sequence[str]) -> list[str]:
    """In words, the budgets asked for that are not matched, or not known."""
    told = []
    for name in asked:
        one = found[name]
        if one["matched"] is None:
            told.append(f"the {one['what']} of some system is not known")
        elif not one["matched"]:
            span = f"{one['least']:,.0f} to {one['most']:,.0f}"
            told.append(f"the {one['what']} differ by more than {TOLERANCE:.0%}: {span}")
    return told
