"""What compared runs differ in beside their settings: training data, precision, code, versions and machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from lasasr.artifacts.provenance import machine, short_commit
from lasasr.artifacts.run_card import RunCard, SplitData
from lasasr.comparison.entries import DecodedRun
from lasasr.comparison.seed_order import seed_order

MOST: Final = 4  # values, and names of systems, that a note lists


class Condition(NamedTuple):
    """One thing that settings do not say, and a card does."""

    said: str  # the beginning of the note
    value: Callable[[RunCard], str | None]  # None: the card does not know it
    balanced: bool  # whether systems may differ in it as long as each has the same values among its seeds


def _content(split: str) -> Callable[[RunCard], str | None]:
    return lambda card: (card.data.splits or {}).get(split, SplitData()).content


def _code(card: RunCard) -> str | None:
    """The commit, or the version where the package is installed."""
    return short_commit(card.commit) or (f"version {card.versions['lasasr']}" if "lasasr" in card.versions else None)


CONDITIONS: Final = (
    Condition("the content of train differs", _content("train"), balanced=False),
    Condition("the content of dev, by which checkpoints are chosen, differs", _content("dev"), balanced=False),
    Condition("the precision of training differs", lambda card: card.precision, balanced=False),
    Condition("the code that trained them differs", _code, balanced=True),
    Condition("the version of torch differs", lambda card: card.versions.get("torch"), balanced=True),
    Condition(
        "they were trained on different machines, so that times cannot be compared",
        lambda card: machine(card.hardware) or None,
        balanced=True,
    ),
)


def condition_notes(systems: Sequence[tuple[str, Sequence[DecodedRun]]]) -> list[str]:
    """A note for each condition in which the runs of the systems differ; what a card does not know is left out.

    Args:
        systems: name and runs of each.
    """
    notes = []
    for condition in CONDITIONS:
        of_systems = {name: _runs_of(runs, condition) for name, runs in systems}
        sets = {frozenset(by_value) for by_value in of_systems.values() if by_value}
        values = list(dict.fromkeys(value for by_value in of_systems.values() for value in by_value))
        if len(sets) > 1 or (len(values) > 1 and not condition.balanced):
            listed = [f"{value} ({_holders(value, of_systems)})" for value in values]
            notes.append(f"{condition.said}: {_first_few(listed)}")
    return notes


def _runs_of(runs: Sequence[DecodedRun], condition: Condition) -> dict[str, list[str]]:
    """Value → seeds of the runs that have it."""
    seeds: dict[str, list[str]] = {}
    for run in runs:
        if (value := condition.value(run.card)) is not None:
            seeds.setdefault(value, []).append(run.seed)
    return seeds


def _holders(value: str, of_systems: Mapping[str, Mapping[str, Sequence[str]]]) -> str:
    """The systems that have a value; where others of their runs have another, with the seeds that have it."""
    holders = []
    for name, by_value in of_systems.items():
        if value in by_value:
            seeds = ", ".join(sorted(by_value[value], key=seed_order))
            holders.append(name if len(by_value) == 1 else f"{name} seed {seeds}")
    return _first_few(holders)


def _first_few(words: Sequence[str]) -> str:
    return ", ".join(words[:MOST]) + (f" and {len(words) - MOST} more" if len(words) > MOST else "")
