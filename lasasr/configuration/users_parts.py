"""The parts of a user's own that this process has built, and which of them an exception comes from.

Nothing is wrapped around them: an exception that reaches the command has the frames that it went through, and the
innermost one that is the user's, or that works on an object of the user's, says whose it is.
"""

from __future__ import annotations

import os
import traceback
import weakref
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType
from typing import Any, Final, NamedTuple

from lasasr.configuration import gate

LONGEST: Final = 300  # characters of what was raised, in a message


class UsersPart(NamedTuple):
    """Where a part stands in the configuration, and its `_target_`."""

    place: str
    target: str

    def __str__(self) -> str:
        return f"{self.place} ({self.target})"


_objects: dict[int, tuple[weakref.ref[Any], UsersPart]] = {}
_of_classes: dict[type, UsersPart] = {}  # the last one of each class, for copies of what was built
_of_modules: dict[str, UsersPart] = {}  # for what a marked function left behind: a closure, say


def is_users(target: object) -> bool:
    """Whether a `_target_` lies below what `LASASR_ALLOW` names."""
    return gate.below(str(target), gate.users_prefixes())


def note(value: Any, target: str, place: str) -> UsersPart:
    """Remember what was built of a `_target_` of the user's."""
    part, identity = UsersPart(place, target), id(value)
    _of_modules[target.rpartition(".")[0]] = part
    if is_users(type(value).__module__):
        _of_classes[type(value)] = part
    with suppress(TypeError):  # an object with slots takes no reference: then its class alone tells
        _objects[identity] = weakref.ref(value, lambda _: _objects.pop(identity, None)), part
    return part


def of_object(value: Any) -> UsersPart | None:
    """The part that an object is; None: it is no part of the user's."""
    reference, part = _objects.get(id(value), (None, None))
    if reference is not None and reference() is value:
        return part
    return _of_classes.get(type(value))


def fault(error: BaseException) -> str | None:
    """What an exception that came out of a part of the user's is, in one line; None: it came from elsewhere."""
    # From the innermost, without the one that has caught it: it still runs, and a look at its variables would keep a
    # copy of them, the exception and all that hangs on it included.
    raised = error.__traceback__ and error.__traceback__.tb_next
    frames = [frame for frame, _ in traceback.walk_tb(raised)][::-1]
    for depth, frame in enumerate(frames):
        if _is_users_code(frame) or of_object(frame.f_locals.get("self")) is not None:
            return fault_of(_part_of(frames[depth:]) or frame.f_globals.get("__name__"), error)
    return None


def fault_of(part: object, error: BaseException) -> str:
    """The same of an exception that is known to come from `part`."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST]
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if _is_users_code(frame)]
    where = f" ({location(frames[-1][0].f_code.co_filename, frames[-1][1])})" if frames else ""
    return f"{part}: {reason}{where}"


def went_through(error: BaseException) -> bool:
    """Whether an exception went through code of the user's: a call that did not fit did not."""
    return any(_is_users_code(frame) for frame, _ in traceback.walk_tb(error.__traceback__))


def location(file: str, line: int) -> str:
    """`file:line`, relative to the working folder where it lies below it."""
    shown = os.path.relpath(file)
    return f"{file if shown.startswith(os.pardir) else shown}:{line}"


def _is_users_code(frame: FrameType) -> bool:
    return is_users(frame.f_globals.get("__name__", ""))


def _part_of(frames: list[FrameType]) -> UsersPart | None:
    """The innermost part that these frames work on; without any, one that was built of their module."""
    selves = (of_object(frame.f_locals.get("self")) for frame in frames)
    return next(filter(None, selves), None) or next(_of_their_modules(frames), None)


def _of_their_modules(frames: list[FrameType]) -> Iterator[UsersPart]:
    for frame in frames:
        part = _of_modules.get(frame.f_globals.get("__name__", ""))
        if part is not None:
            yield part
