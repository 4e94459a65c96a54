"""Whether the systems had the same budgets: training steps, training time, parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

TOLERANCE: Final = 0.02  # of the smallest: ± 2 % counts as the same
BUDGETS: Final = {"steps": "training steps", "train_s": "training time", "parameters": "parameters"}


def budgets(systems: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """For each budget whether it is matched, and the least and most of it; None where it is unknown for some system."""
    states = {}
    for name, words in BUDGETS.items():
        spent = [system[name] for system in systems]
        amounts = [amount for amount in spent if amount is not None]
        matched = None if len(amounts) < len(spent) else max(amounts) <= (1.0 + TOLERANCE) * min(amounts)
        states[name] = {"what": words, "matched": matched, "least": min(amounts, default=None)}
        states[name]["most"] = max(amounts, default=None)
    return states


def budget_words(states: Mapping[str, Mapping[str, Any]]) -> str:
    """What `budgets` found: `training steps equal within 2 %, training time not equal, parameters not known`."""
    words = {True: f"equal within {100 * TOLERANCE:.0f} %", False: "not equal", None: "not known"}
    return ", ".join(f"{state['what']} {words[state['matched']]}" for state in states.values())


def unmatched(states: dict[str, dict[str, Any]], names: Sequence[str]) -> list[str]:
    """A message for each of these budgets that is not matched, or unknown."""
    messages = []
    for name in names:
        state = states[name]
        if state["matched"] is None:
            messages.append(f"{state['what']} not known of every system")
        elif not state["matched"]:
            span = f"{state['least']:,.0f} to {state['most']:,.0f}"
            messages.append(f"{state['what']} not equal within {100 * TOLERANCE:.0f} %: {span}")
    return messages
