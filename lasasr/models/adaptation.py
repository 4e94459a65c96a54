"""The weights that were added to a recognizer when it was adapted: made again when its bundle is read, or folded in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from torch import nn

from lasasr.adapt.base import Method, WeightMethod
from lasasr.adapt.lora import fold
from lasasr.artifacts import delta
from lasasr.artifacts.bundle_config import CONFIG
from lasasr.artifacts.delta import Base
from lasasr.configuration.sections import Part, Plain
from lasasr.errors import LasasrError, UsageError
from lasasr.models import factory

KEY: Final = "adapter"  # in a bundle's config.yaml: the methods that added weights


@dataclass(frozen=True)
class Adaptation:
    """What was added to a recognizer, and what its bundle is a delta to.

    Args:
        methods: those that add weights, by name, as configured.
        base: None: the bundle holds all weights.
    """

    methods: Mapping[str, Part]
    base: Base | None = None

    def plain(self) -> dict[str, Any]:
        """As a bundle's config.yaml holds it."""
        return {KEY: {name: dict(part) for name, part in self.methods.items()}} if self.methods else {}


def methods(parts: Mapping[str, Part]) -> dict[str, Method]:
    """The methods as configured.

    Raises:
        UsageError: an option makes no sense.
    """
    return {name: factory.build(part, f"adapt.{name}") for name, part in parts.items()}


def adding(parts: Mapping[str, Part]) -> dict[str, Part]:
    """Those of the configured methods that add weights."""
    built = methods(parts)
    return {
        name: part for name, part in parts.items() if isinstance(method := built[name], WeightMethod) and method.adds
    }


def add_weights(recognizer: nn.Module, parts: Mapping[str, Part], seed: int) -> None:
    """Add what the methods add."""
    for method in methods(parts).values():
        if isinstance(method, WeightMethod):
            method.add(recognizer, seed)


def read(config: Plain, folder: Path, given: Path | None) -> Adaptation | None:
    """What the config.yaml of a bundle says of its adaptation; None: nothing.

    Args:
        given: the base of a delta, where a user names it.

    Raises:
        LasasrError: it is damaged, or the base is not there or another one.
    """
    stored = config.get(KEY) or {}
    if not isinstance(stored, dict) or not all(isinstance(part, dict) for part in stored.values()):
        raise LasasrError(f"{folder / CONFIG}: {KEY} must hold methods by name, got {str(stored)[:80]}")
    if delta.is_delta(folder):
        return Adaptation(stored, delta.base_of(folder, config, given))
    if given is not None:
        raise UsageError(f"{folder} is no adapter: it holds all weights, and needs no base")
    return Adaptation(stored) if stored else None


def merged(recognizer: nn.Module, adaptation: Adaptation) -> Adaptation | None:
    """Fold in what can be: low-rank factors; other modules stay, and the bundle then holds all weights."""
    fold(recognizer)
    left = {name: part for name, part in adaptation.methods.items() if not _folds(part, name)}
    return Adaptation(left) if left else None


def _folds(part: Part, name: str) -> bool:
    method = factory.build(part, f"adapt.{name}")
    return isinstance(method, WeightMethod) and method.folds
