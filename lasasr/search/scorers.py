"""`search.scorers`: named entries that score tokens; other keys of a search are short for some of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lasasr.search.base import Scorer, ScorerAlias

T = TypeVar("T")

# names that are taken, and what sets them
ELSEWHERE = {
    "decoder": "the decoder's weight is what ctc_weight leaves",
    "internal_lm": "set subtract.internal_weight",
    "source_lm": "set subtract.lm and subtract.lm_weight",
}


@dataclass
class Fused:
    """The scorers that are fused with the decoder: the short keys of `BeamSearch`, and all further entries."""

    ctc_weight: float = 0.0
    lm: Scorer | None = None
    lm_weight: float | None = None
    length_bonus: float = 0.0
    coverage: Scorer | None = None
    coverage_weight: float = 0.0
    entries: dict[str, Scorer] = field(default_factory=dict)  # scorers in place of the usual ctc and length among them

    def add(self, scorers: Mapping[str, Any]) -> None:
        """Take the entries of `search.scorers` in.

        Raises:
            ValueError: an entry is no scorer, has no weight, or differs from the key that is short for it.
        """
        named = {name: _checked(name, scorer) for name, scorer in scorers.items()}
        if ctc := named.get("ctc"):
            self.ctc_weight = agreed("ctc_weight", self.ctc_weight, 0.0, "ctc.weight", ctc.weight or 0.0)
        if length := named.get("length"):
            self.length_bonus = agreed("length_bonus", self.length_bonus, 0.0, "length.weight", length.weight or 0.0)
        if lm := named.pop("lm", None):
            if self.lm is not None:
                raise ValueError("lm and scorers.lm are both given; give one of them")
            self.lm, self.lm_weight = lm, agreed("lm_weight", self.lm_weight, None, "lm.weight", lm.weight)
        if coverage := named.pop("coverage", None):
            if self.coverage_weight and _options(self.coverage) != _options(coverage):
                raise ValueError(
                    "coverage and scorers.coverage differ; give one of them (coverage_weight=0: the entry)"
                )
            weight, entry_weight = self.coverage_weight, coverage.weight or 0.0
            self.coverage_weight = agreed("coverage_weight", weight, 0.0, "coverage.weight", entry_weight)
            self.coverage = coverage
        self.entries = named

    def further(self) -> list[tuple[Scorer, float]]:
        """The entries that no other key is short for, each with its weight; without those of weight 0."""
        entries = [
            (scorer, scorer.weight or 0.0) for name, scorer in self.entries.items() if name not in ("ctc", "length")
        ]
        return [(scorer, weight) for scorer, weight in entries if weight]


def agreed(key: str, short: T, neutral: T, entry: str, long: T) -> T:
    """The value that a key of the search and an entry of `scorers` give, where the key is not at its neutral value.

    Raises:
        ValueError: they differ.
    """
    if short not in (neutral, long):
        raise ValueError(
            f"{key} is {short}, but scorers.{entry} is {long}; give one of them ({key}={neutral}: the entry)"
        )
    return long


def _checked(name: str, scorer: Any) -> Scorer:
    if name in ELSEWHERE:
        raise ValueError(f"scorers.{name} cannot be an entry: {ELSEWHERE[name]}")
    if not isinstance(scorer, Scorer):
        what = "a mapping without _target_" if isinstance(scorer, Mapping) else type(scorer).__name__
        raise ValueError(f"scorers.{name} must be a Scorer (lasasr/search/base.py), got {what}")
    weight = scorer.weight
    if weight is None:
        raise ValueError(f"scorers.{name} has no weight; set search.scorers.{name}.weight=0.3, say (0 does without it)")
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight):
        raise ValueError(f"scorers.{name}.weight must be a number, got {weight!r}")
    return scorer if getattr(scorer, "name", None) == name else ScorerAlias(scorer, name)


def _options(scorer: Scorer | None) -> tuple[type, dict[str, Any]]:
    return type(scorer), {key: value for key, value in vars(scorer).items() if key != "weight"} if scorer else {}
