"""Plain values of a file as a frozen dataclass, whose annotations say of what kind each is."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Final, TypeVar, get_args, get_origin

T = TypeVar("T")
WAY_OUT: Final = "way_out"  # metadata of a field: what a message about it ends in
_LONGEST: Final = 60  # characters of a value in a message
_WORDS: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    dict: "a part with keys",
    Mapping: "a part with keys",
    list: "a list",
    Sequence: "a list",
    type(None): "nothing",
}

_PLURALS: Final = {
    int: "whole numbers",
    float: "numbers",
    str: "texts",
    dict: "parts with keys",
    Mapping: "parts with keys",
}


class KindError(ValueError):
    """A value is of another kind than its key takes, or one is missing; the message names the key."""


class LackError(KindError):
    """Keys are missing that have no default."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(f"it lacks {', '.join(keys)}")
        self.keys = keys


def read(kind: type[T], values: Mapping[str, Any], place: str = "", /, **more: Any) -> T:
    """A dataclass made of plain values; keys that it does not have are left out.

    A field without a default must be there, unless it is a dataclass itself, whose own fields may all be absent.
    Sequences become tuples, and whole numbers fractions where a field says so. A message about a member of a part or
    list whose members have a kind of their own names that member: `validations[2].step`.

    Args:
        place: what stands before the keys in messages: `validation.`.
        more: fields that are no key.

    Raises:
        KindError: a value is of another kind.
        LackError: one is missing.
    """
    made, lacking = dict(more), list[str]()
    whole: Any = kind
    hints = _hints(whole)
    for one in fields(whole):
        hint, key = hints[one.name], f"{place}{one.name}"
        if one.name in more:
            continue
        if one.name in values:
            made[one.name] = _value(values[one.name], hint, key, one.metadata.get(WAY_OUT, ""))
        elif is_dataclass(hint):
            try:
                made[one.name] = read(typing.cast(type[Any], hint), {}, f"{key}.")
            except LackError as error:
                lacking += error.keys
        elif one.default is MISSING and one.default_factory is MISSING:
            lacking.append(key)
    if lacking:
        raise LackError(lacking)
    return kind(**made)


def _value(value: Any, hint: Any, key: str, way_out: str) -> Any:
    kind = _without_none(hint)
    if is_dataclass(kind) or _has_typed_members(kind):
        if value is None and kind is not hint:
            return None
        if not isinstance(value, list | tuple if get_origin(kind) is Sequence else Mapping):
            raise _wrong(value, hint, key, way_out)
        return _parts(value, kind, key, way_out)
    if not matches(value, hint):
        raise _wrong(value, hint, key, way_out)
    if hint in (float, float | None) and value is not None:
        return float(value)
    return tuple(value) if isinstance(value, list) and get_origin(hint) is Sequence else value


def _parts(value: Any, kind: Any, key: str, way_out: str) -> Any:
    """A dataclass, or a part or list of what has a kind of its own."""
    if is_dataclass(kind):
        return read(typing.cast(type[Any], kind), value, f"{key}.")
    member = get_args(kind)[-1]
    if get_origin(kind) is Sequence:
        return tuple(_value(inner, member, f"{key}[{index}]", way_out) for index, inner in enumerate(value))
    return {name: _value(inner, member, f"{key}.{name}", way_out) for name, inner in value.items()}


def _without_none(hint: Any) -> Any:
    """`X` for `X | None`; other hints as they are."""
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    is_union = get_origin(hint) in (typing.Union, types.UnionType)
    return kinds[0] if is_union and len(kinds) == 1 else hint


def _has_typed_members(kind: Any) -> bool:
    """Whether a message about one member says more than one about the whole."""
    member = _without_none((get_args(kind) or (Any,))[-1])
    if get_origin(kind) is Mapping:
        return member is not Any
    return get_origin(kind) is Sequence and (is_dataclass(member) or _has_typed_members(member))


def _wrong(value: Any, hint: Any, key: str, way_out: str) -> KindError:
    return KindError(f"{key} is {shown(value)}, not {described(hint)}{f'; {way_out}' if way_out else ''}")


def shown(value: Any) -> str:
    """A value in a message, of a bounded length."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def matches(value: Any, hint: Any) -> bool:
    """Whether a plain value is of the kind that a type hint means.

    True is no number, NaN neither; a whole number is a fraction too.
    """
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if hint is Any:
        return True
    if origin is typing.Literal:
        return value in arguments
    if origin in (typing.Union, types.UnionType):
        return any(matches(value, one) for one in arguments)
    if origin in (list, Sequence):
        return isinstance(value, list | tuple) and all(matches(one, arguments[0]) for one in value if arguments)
    if origin in (dict, Mapping):
        return isinstance(value, Mapping) and all(matches(one, arguments[1]) for one in value.values() if arguments)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def described(hint: Any) -> str:
    """The kind that a type hint means, in words."""
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if is_dataclass(origin):
        return _WORDS[Mapping]
    if origin is typing.Literal:
        return " or ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(described(one) for one in arguments))
    if origin in (list, Sequence) and arguments:
        member = Mapping if is_dataclass(arguments[0]) else get_origin(arguments[0]) or arguments[0]
        return f"a list of {_PLURALS.get(member, 'values')}"
    return _WORDS[origin]


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(kind)
