"""The mark of what a configuration may name at a place, where no base class says so already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

_MARK: Final = "__configurable__"
Part = TypeVar("Part", bound=Callable[..., Any])


def configurable(*places: str) -> Callable[[Part], Part]:
    """Mark a function, or a class that has no base of `lasasr.configuration.contracts`, as a `_target_` of `places`.

        @configurable("schedule")
        def cosine(optimizer, total_steps): ...

    A classmethod is marked below `@classmethod`; methods that override it need no mark. Subclasses of a marked class
    are not marked. A place is what stands before `._target_` in the configuration, without positions in lists:
    `augment.waveform`, `listen.block` for a part of an encoder of your own.
    """

    def mark(part: Part) -> Part:
        setattr(part, _MARK, frozenset(places))
        return part

    return mark


def marked_places(part: object) -> frozenset[str]:
    """The places that `part` itself, not a base of it, is marked for."""
    places = getattr(part, "__dict__", {}).get(_MARK, frozenset())
    return places if isinstance(places, frozenset) else frozenset()
