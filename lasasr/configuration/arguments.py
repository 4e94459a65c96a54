"""Are the arguments of a part of the kinds that its class or function says? Found before it is built.

Python lets any value through until something fails on it, perhaps after hours: NaN as a weight, `true` as a number. The
annotations of a shipped part say what it takes; what they say of objects is left to the part.
"""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from lasasr.errors import UsageError

SHIPPED: Final = ("lasasr.", "torch.", "lightning.")  # whose annotations are held to
_LONGEST: Final = 60  # characters of a value in a message
_WORDS: Final = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", type(None): "null"}


def check_arguments(target: Callable[..., Any], arguments: Mapping[str, Any], place: str) -> None:
    """Refuse an argument of another kind than the annotation of its parameter says.

    Args:
        target: the class or function of a part.
        arguments: plain values by name; those that are parts themselves are left out.
        place: of the part in the configuration.

    Raises:
        UsageError: names the key, its value and what it takes.
    """
    if not f"{getattr(target, '__module__', '')}.".startswith(SHIPPED):
        return
    hints = _hints(target)
    for name, value in arguments.items():
        is_part = isinstance(value, Mapping) and "_target_" in value
        if name in hints and not is_part and not _matches(value, hints[name]):
            raise UsageError(f"{place}.{name} is {shown(value)}, but takes {described(hints[name])}")


@cache
def _hints(target: Callable[..., Any]) -> Mapping[str, Any]:
    made = inspect.getattr_static(target, "__init__") if isinstance(target, type) else target
    try:
        hints = typing.get_type_hints(made)
        for hint in list(hints.values()):  # **options: Unpack[a TypedDict]
            if typing.get_origin(hint) is typing.Unpack:
                hints |= typing.get_type_hints(typing.get_args(hint)[0])
        return hints
    except Exception:  # annotations that cannot be read here: then the part alone says what it takes
        return {}


def _matches(value: Any, hint: Any) -> bool:
    """Whether a plain value is of the kind that a hint means; what the hint says of objects admits no plain value."""
    origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin is Literal:
        return any(value == choice and type(value) is type(choice) for choice in arguments)
    if origin in (typing.Union, types.UnionType):
        return any(_matches(value, one) for one in arguments)
    if origin is type(None) or hint is None:
        return value is None
    if origin in (list, tuple, Sequence):
        return _is_sequence_of(value, origin, arguments)
    if origin in (int, float):
        return _is_number(value, origin)
    if origin in (str, bool):
        return type(value) is origin
    if origin is Path:
        return isinstance(value, str)
    return hint is Any or not isinstance(origin, type) or isinstance(value, origin)


def _is_number(value: Any, kind: type) -> bool:
    """Whether it is a finite number; 4.0 is a whole number too. No shipped part takes infinity: null is no limit."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or (math.isfinite(value) and (kind is float or value.is_integer()))


def _is_sequence_of(value: Any, origin: Any, arguments: Sequence[Any]) -> bool:
    if not isinstance(value, list | tuple):
        return False
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        return len(value) == len(arguments) and all(map(_matches, value, arguments))
    return not arguments or all(isinstance(one, Mapping) or _matches(one, arguments[0]) for one in value)


def shown(value: Any) -> str:
    """A value in a message, as yaml has it, of a bounded length."""
    plain = {True: "true", False: "false", None: "null"}
    text = plain[value] if isinstance(value, bool | None) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def described(hint: Any) -> str:
    """What a hint takes, in words."""
    origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}" if len(arguments) > 1 else str(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(described, arguments)))
    if origin in (list, tuple, Sequence):
        of = ", ".join(dict.fromkeys(described(one) for one in arguments if one is not Ellipsis))
        return f"a list of {of}" if of else "a list"
    return _WORDS.get(origin, f"a part ({origin.__name__})" if isinstance(origin, type) else "another value")
