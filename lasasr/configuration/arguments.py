"""Are the arguments of a part of the kinds that its class or function says? Found before it is built.

Python lets any value through until something fails on it, perhaps after hours: NaN as a weight, `true` as a number. The
annotations of a shipped part say what it takes; what they say of objects is left to the part.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from lasasr.configuration.typed import described, matches, shown
from lasasr.errors import UsageError

SHIPPED: Final = ("lasasr.", "torch.", "lightning.")  # whose annotations are held to


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
    hints = annotations_of(target)
    for name, value in arguments.items():
        if name in hints and not _holds_part(value) and not _fits(value, hints[name]):
            key, kind = f"{place}.{name}", described(hints[name], of_objects=True)
            raise UsageError(f"{key} is {shown(value)}, not {kind}{_way_out(key, value)}")


def _way_out(key: str, value: Any) -> str:
    """What helps where a recipe sets options of a part, and another choice of the group has no part there."""
    if not isinstance(value, Mapping):
        return ""
    return f"; options of a part are set there, as by a recipe, which this choice does not have: set {key} as a whole"


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of the kind of a hint; 4.0 may stand for 4, as old bundles have it."""
    return matches(value, hint) or (isinstance(value, float) and value.is_integer() and matches(int(value), hint))


def _holds_part(value: Any) -> bool:
    """Whether a value is a part, or a list or mapping with sections: their own classes say what those take."""
    if isinstance(value, Mapping):
        return "_target_" in value or any(isinstance(item, Mapping) for item in value.values())
    return isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value)


@cache
def annotations_of(target: Callable[..., Any]) -> Mapping[str, Any]:
    """Of the parameters of a class or function, by name; none where they cannot be read."""
    function = inspect.getattr_static(target, "__init__") if isinstance(target, type) else target
    try:
        hints = typing.get_type_hints(function, include_extras=True)
        for hint in list(hints.values()):  # **options: Unpack[a TypedDict]
            if typing.get_origin(hint) is typing.Unpack:
                hints |= typing.get_type_hints(typing.get_args(hint)[0], include_extras=True)
        return hints
    except Exception:  # annotations that cannot be read here: then the part alone says what it takes
        return {}
