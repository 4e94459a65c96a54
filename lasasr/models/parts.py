"""The parts of a configuration that a model is built from and that its bundle carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lasasr.configuration.sections import Part
from lasasr.losses.base import Heads


@dataclass(frozen=True, kw_only=True)
class ModelParts:
    """Of a recognizer."""

    frontend: Part
    listen: Part
    attend: Part | None  # null, as spell may be, where there is no decoder
    spell: Part | None
    search: Part
    seed: int
    heads: Heads

    def plain(self) -> dict[str, Any]:
        """As a bundle's config.yaml holds them."""
        absent = Heads._field_defaults
        heads = {name: value for name, value in self.heads._asdict().items() if absent.get(name) != value}
        return {**vars(self), "heads": heads}


@dataclass(frozen=True, kw_only=True)
class LanguageParts:
    """Of a language model."""

    lm: Part
    seed: int

    def plain(self) -> dict[str, Any]:
        """As a bundle's config.yaml holds them."""
        return dict(vars(self))
