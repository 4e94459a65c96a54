"""What a model card is made of: a run, its results, and how it is to be published."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lasasr.artifacts.provenance import placeless
from lasasr.artifacts.run_card import RunCard


@dataclass(frozen=True, kw_only=True)
class Described:
    """What a model card is made of."""

    name: str  # on the hub, or of the folder
    license: str  # as the hub calls it: apache-2.0
    language: str  # as BCP 47 calls it: en
    card: RunCard
    config: Mapping[str, Any]  # of the run
    overrides: Sequence[str]
    results: Sequence[Mapping[str, Any]]  # summaries of the recipe's own search, one per split
    other_results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of other searches and data, by name
    speakers: Mapping[str, int | None]  # of each split with a result; None: not known
    sample_rate_hz: int
    unit: str
    longest_s: float | None  # utterance of training

    @property
    def command(self) -> str:
        """What trains such a recognizer."""
        recipe = str(self.card.recipe)
        words = ["lasasr", "train", Path(recipe).name if recipe.endswith(".yaml") else recipe, *self.overrides]
        return placeless(shlex.join(words))

    @property
    def corpus(self) -> str:
        """The name of the corpus."""
        choice = (self.config.get("choices") or {}).get("corpus")
        return str(choice or self.config["corpus"]["_target_"].rpartition(".")[2])
