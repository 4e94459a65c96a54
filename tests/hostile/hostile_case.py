"""One hostile case, and what the files of cases are written with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hostile_ground import edited

Damage = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """One of them."""

    name: str
    needs: tuple[str, ...]  # of the ground, copied into the working folder
    damage: Damage  # called with the working folder
    arguments: tuple[str, ...]
    words: str = ""  # a regular expression that the line must match
    slow: bool = False


def at(name: str, damage: Damage) -> Damage:
    """Damage one file of the working folder."""
    return lambda work: damage(work / name)


def both(*damages: Damage) -> Damage:
    """One after the other."""

    def all_of(work: Path) -> None:
        for one in damages:
            one(work)

    return all_of


def config(*changes: Callable[[Any], Any]) -> Damage:
    """Change the config.yaml of the bundle."""
    return lambda work: [edited(work / "bundle" / "config.yaml", one) for one in changes] and None


TRANSCRIBE = ("transcribe", "bundle", "u0.wav")
RECIPE_HEAD = "# @package _global_\ndefaults: [/base, _self_]\n"
PREPARE_MINE = ("prepare", "mine.yaml")
