"""Typed settings of what a test composes, or of the few keys that it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lasasr.cli import compose
from lasasr.configuration import settings
from lasasr.configuration.settings import Language, Recognition

PART: Mapping[str, Any] = {"_target_": "nothing.is_built.of_it"}
# what no configuration can be without
ANY: Mapping[str, Any] = {
    "recipe": "test",
    "choices": {},
    **dict.fromkeys(("corpus", "tokenizer", "batching", "optimizer", "schedule", "trainer"), PART),
}
BESIDE = ("recipe", "choices")
PARTS = ("frontend", "listen", "attend", "spell", "loss", "sampling", "search", "loading")


def recognition(**plain: Any) -> Recognition:
    """Settings that have these keys, and parts that say nothing; one that is given need not name its class."""
    whole = {**ANY, **dict.fromkeys(PARTS, PART), "validation": {"search": PART}, **plain}
    parts = {name: _with_class(whole[name]) for name in whole if name in (*ANY, *PARTS) and name not in BESIDE}
    loaded = settings.load({**whole, **parts}, "test")
    assert isinstance(loaded, Recognition)
    return replace(loaded, plain={**{key: {} for key in parts}, **plain})


def language(**plain: Any) -> Language:
    """The same of a language model."""
    whole = {**ANY, "lm": PART, **plain}
    parts = {name: _with_class(whole[name]) for name in (*ANY, "lm") if name not in BESIDE}
    loaded = settings.load({**whole, **parts}, "test")
    assert isinstance(loaded, Language)
    return replace(loaded, plain={**{key: {} for key in parts}, **plain})


def composed(recipe: str, overrides: Sequence[str] = ()) -> Recognition:
    """Of a recipe of speech."""
    loaded = compose.load(recipe, overrides)
    assert isinstance(loaded, Recognition)
    return loaded


def _with_class(part: Any) -> Any:
    return {**PART, **part} if isinstance(part, Mapping) else part
