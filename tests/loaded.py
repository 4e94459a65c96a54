"""Typed settings of what a test composes, or of the few keys that it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lasasr.cli import compose
from lasasr.configuration import settings
from lasasr.configuration.settings import Language, Recognition

# what no configuration can be without; nothing is built of it
ANY: Mapping[str, Any] = {
    "recipe": "test",
    "choices": {},
    **{name: {} for name in ("corpus", "tokenizer", "batching", "optimizer", "schedule", "trainer")},
}
PARTS = ("frontend", "listen", "attend", "spell", "loss", "sampling", "search", "loading")


def recognition(**plain: Any) -> Recognition:
    """Settings that have these keys, and parts that say nothing."""
    loaded = settings.load({**ANY, **{name: {} for name in PARTS}, "validation": {"search": {}}, **plain}, "test")
    assert isinstance(loaded, Recognition)
    return loaded


def language(**plain: Any) -> Language:
    """The same of a language model."""
    loaded = settings.load({**ANY, "lm": {}, **plain}, "test")
    assert isinstance(loaded, Language)
    return loaded


def composed(recipe: str, overrides: Sequence[str] = ()) -> Recognition:
    """Of a recipe of speech."""
    loaded = compose.load(recipe, overrides)
    assert isinstance(loaded, Recognition)
    return loaded
