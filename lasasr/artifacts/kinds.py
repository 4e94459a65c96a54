"""Of what kind the values in a file of the toolkit are: an edited or made-up one is refused where it is read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lasasr.errors import LasasrError

NUMBER: Final = int | float
_WORDS: Final = {
    int: "a whole number",
    str: "a text",
    dict: "a part with keys",
    list: "a list",
    float: "a number",
    type(None): "nothing",
}


def refuse_others(path: Path, values: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    """Refuse a value of another kind; a key that is absent, and one that is not named, may be anything.

    Args:
        path: of the file, for the message.
        kinds: key, or `outer.inner`, → type, or several as `int | None`; `list[str]` says it of the members.

    Raises:
        LasasrError: names file, key and value.
    """
    for key, kind in kinds.items():
        found, there = _at(values, key.split("."))
        if there and not _is(found, kind):
            shown = repr(found)
            shown = shown if len(shown) <= 60 else f"{shown[:60]}..."
            raise LasasrError(f"{path} is damaged: {key} is {shown}, not {_said(kind)}")


def _at(values: Any, words: list[str]) -> tuple[Any, bool]:
    for word in words:
        if not isinstance(values, Mapping) or word not in values:
            return None, False
        values = values[word]
    return values, True


def _is(value: Any, kind: Any) -> bool:
    members: Any = getattr(kind, "__args__", ())
    if getattr(kind, "__origin__", None) is list:
        return isinstance(value, list) and all(_is(one, members[0]) for one in value)
    if members:
        return any(_is(value, one) for one in members)
    if kind is float:
        return isinstance(value, float) and math.isfinite(value)
    return isinstance(value, kind) and not isinstance(value, bool)


def _said(kind: Any) -> str:
    members: Any = getattr(kind, "__args__", ())
    if getattr(kind, "__origin__", None) is list:
        return f"a list of {_said(members[0]).removeprefix('a ')}s"
    return " or ".join(_said(one) for one in members) if members else _WORDS[kind]
