"""Keys that a class has got since a run was made: its configuration lacks them, but they can be overridden."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lasasr.configuration import signature_defaults
from lasasr.configuration.sections import Plain


def with_newer(stored: Plain, keys: Iterable[str]) -> dict[str, Any]:
    """A stored configuration in which those of `keys` stand that its classes take and it lacks, at their defaults.

    That an absent key means its default is what lets older runs be read (docs/identity.md).
    """
    completed = dict(stored)
    for key in keys:
        completed = _completed(completed, key.split("."))
    return completed


def _completed(part: Plain, words: list[str]) -> dict[str, Any]:
    word, *further = words
    if further:
        inner = part.get(word)
        return {**part, word: _completed(inner, further)} if isinstance(inner, Mapping) else dict(part)
    if word in part or "_target_" not in part:
        return dict(part)
    meanings = signature_defaults.defaults(str(part["_target_"])).get(word, ())
    return {**part, word: meanings[0]} if meanings else dict(part)
