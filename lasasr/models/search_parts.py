"""A search as configured: its scorers, and what the toolkit gives them: language models, the size of the vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from lasasr.configuration.contracts import contract_of, place_kind
from lasasr.configuration.settings import Part
from lasasr.models.factory import build
from lasasr.search.base import Scorer


def search(part: Part, lm: Callable[[str], Any], vocabulary_size: int, place: str = "search") -> Any:
    """The search as configured.

    Args:
        lm: makes a scorer of what a key `lm` anywhere in the search names (`lasasr.models.language_model.scorer`).
        vocabulary_size: V, for the scorers that are `_partial_`.
    """
    return _supplied(part, place, lm, vocabulary_size)


def scorer(part: Part, name: str, lm: Callable[[str], Any], vocabulary_size: int) -> Scorer:
    """An entry of `search.scorers` by itself.

    Args:
        name: of the entry.
        lm: as of `search`.
        vocabulary_size: V.
    """
    return cast(Scorer, _supplied(part, f"search.scorers.{name}", lm, vocabulary_size))


def _supplied(part: Part, place: str, lm: Callable[[str], Any], vocabulary_size: int) -> Any:
    """A part of a search, with language models in place of their paths, and the size of the vocabulary where it waits
    for it."""
    sizes = {"vocabulary_size": vocabulary_size} if _waits_for_size(part, place) else {}
    finish: dict[str, Any] = {}
    for key, value in part.items():
        if key == "lm" and isinstance(value, str):
            finish[key] = lm(value)
        elif isinstance(value, Mapping) and _waits(value, f"{place}.{key}"):
            finish[key] = _supplied(value, f"{place}.{key}", lm, vocabulary_size)
    if not finish:
        return build(part, place, **sizes)
    rest = {key: value for key, value in part.items() if key not in finish}
    if "_target_" not in part:  # a mapping of parts
        return {**{key: build(value, f"{place}.{key}") for key, value in rest.items()}, **finish}
    return build({**rest, "_partial_": True}, place, **finish, **sizes)


def _waits(part: Part, place: str) -> bool:
    """Whether it, or a part in it, is to be given a language model or the size of the vocabulary."""
    inner = ((value, f"{place}.{key}") for key, value in part.items() if isinstance(value, Mapping))
    return isinstance(part.get("lm"), str) or _waits_for_size(part, place) or any(_waits(*entry) for entry in inner)


def _waits_for_size(part: Part, place: str) -> bool:
    contract = contract_of(place_kind(place))
    return bool(part.get("_partial_")) and contract is not None and "vocabulary_size" in contract.supplied
