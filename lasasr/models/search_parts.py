"""A search as configured: its scorers, and what the toolkit gives them: language models, the size of the vocabulary."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from lasasr.configuration import gate
from lasasr.configuration.contracts import contract_of, place_kind
from lasasr.configuration.sections import Part
from lasasr.models.factory import build, is_path_of_model
from lasasr.search.base import Scorer


class Supplied(NamedTuple):
    """What the toolkit gives a search."""

    lm: Callable[[str], Any]
    vocabulary_size: int
    pieces: Sequence[str]


def search(
    part: Part,
    lm: Callable[[str], Any],
    vocabulary_size: int,
    place: str = "search",
    pieces: Sequence[str] = (),
) -> Any:
    """The search as configured.

    Args:
        lm: makes a scorer of what a key `lm` anywhere in the search names (`lasasr.models.language_model.scorer`).
        vocabulary_size: V, for the scorers that are `_partial_`.
        pieces: the text of every token, for those of them that take `pieces`.
    """
    return _supplied(part, place, Supplied(lm, vocabulary_size, pieces))


def scorer(part: Part, name: str, lm: Callable[[str], Any], vocabulary_size: int, pieces: Sequence[str] = ()) -> Scorer:
    """An entry of `search.scorers` by itself.

    Args:
        name: of the entry.
        lm: as of `search`.
        vocabulary_size: V.
        pieces: as of `search`.
    """
    return cast(Scorer, _supplied(part, f"search.scorers.{name}", Supplied(lm, vocabulary_size, pieces)))


def _supplied(part: Part, place: str, supplied: Supplied) -> Any:
    """A part of a search, with language models in place of their paths, and the size of the vocabulary where it waits
    for it."""
    sizes = _tokens_of(part, place, supplied) if _waits_for_size(part, place) else {}
    finish: dict[str, Any] = {}
    for key, value in part.items():
        if is_path_of_model(key, value):
            finish[key] = supplied.lm(value)
        elif isinstance(value, Mapping) and _waits(value, f"{place}.{key}"):
            finish[key] = _supplied(value, f"{place}.{key}", supplied)
    if not finish:
        return build(part, place, **sizes)
    rest = {key: value for key, value in part.items() if key not in finish}
    if "_target_" not in part:  # a mapping of parts
        return {**{key: build(value, f"{place}.{key}") for key, value in rest.items()}, **finish}
    return build({**rest, "_partial_": True}, place, **finish, **sizes)


def _tokens_of(part: Part, place: str, supplied: Supplied) -> dict[str, Any]:
    """What a scorer is told of the tokens: the size of the vocabulary, or their texts where it takes `pieces`."""
    taken = inspect.signature(gate.resolve(part["_target_"], place)).parameters
    if "pieces" not in taken:
        return {"vocabulary_size": supplied.vocabulary_size}
    sizes = {"vocabulary_size": supplied.vocabulary_size} if "vocabulary_size" in taken else {}
    return {**sizes, "pieces": supplied.pieces}


def _waits(part: Part, place: str) -> bool:
    """Whether it, or a part in it, is to be given a language model or the size of the vocabulary."""
    inner = ((value, f"{place}.{key}") for key, value in part.items() if isinstance(value, Mapping))
    names_model = any(is_path_of_model(key, value) for key, value in part.items())
    return names_model or _waits_for_size(part, place) or any(_waits(*entry) for entry in inner)


def _waits_for_size(part: Part, place: str) -> bool:
    contract = contract_of(place_kind(place))
    return bool(part.get("_partial_")) and contract is not None and "vocabulary_size" in contract.supplied
