"""Of what kind the values in a file of the toolkit are: an edited or made-up one is refused where it is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lasasr.configuration import typed
from lasasr.errors import LasasrError

NUMBER: Final = int | float


def refuse_others(path: Path, values: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    """Refuse a value of another kind, or an infinite number; a key that is absent or not named may be anything.

    Args:
        path: of the file, for the message.
        kinds: key, or `outer.inner`, → type, or several as `int | None`; `list[str]` says it of the members.

    Raises:
        LasasrError: names file, key and value.
    """
    for key, kind in kinds.items():
        value, is_present = _at(values, key.split("."))
        if is_present and not typed.matches(value, kind):
            raise LasasrError(f"{path} is damaged: {key} is {typed.shown(value)}, not {typed.described(kind)}")


def _at(values: Any, words: list[str]) -> tuple[Any, bool]:
    for word in words:
        if not isinstance(values, Mapping) or word not in values:
            return None, False
        values = values[word]
    return values, True
