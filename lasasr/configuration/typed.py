"""Plain values of a file as a frozen dataclass, whose annotations say of what kind each is, and in what range."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TypeVar, get_args, get_origin

T = TypeVar("T")
WAY_OUT: Final = "way_out"  # metadata of a field: what a message about it ends in
REST: Final = "rest"  # metadata of a field: it holds the keys that are no field
_LONGEST: Final = 60  # characters of a value in a message
_WORDS: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    dict: "a part with keys",
    Mapping: "a part with keys",
    list: "a list",
    tuple: "a list",
    Sequence: "a list",
    Path: "a text",
    type(None): "nothing",
    Any: "any value",
}

_PLURALS: Final = {
    int: "whole numbers",
    float: "numbers",
    str: "texts",
    dict: "parts with keys",
    Mapping: "parts with keys",
}


class Within(NamedTuple):
    """The range of a number, both ends included, or of the numbers in a list: `Annotated[int, Within(1)]`."""

    least: float
    most: float = math.inf

    def takes(self, value: Any) -> bool:
        """Whether a value is in the range; what is no number has none."""
        values = value if isinstance(value, list | tuple) else [value]
        numbers = [number for number in values if isinstance(number, int | float) and not isinstance(number, bool)]
        return all(self.least <= number <= self.most for number in numbers)

    def __str__(self) -> str:
        return (
            f"of at least {self.least:.15g}" if math.isinf(self.most) else f"from {self.least:.15g} to {self.most:.15g}"
        )


class KindError(ValueError):
    """A value is of another kind than its key takes, or one is missing; the message names the key."""


class LackError(KindError):
    """Keys are missing that have no default."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(f"it lacks {', '.join(keys)}")
        self.keys = keys


def read(kind: type[T], values: Mapping[str, Any], place: str = "", /, **more: Any) -> T:
    """A dataclass made of plain values; keys that it does not have are left out, or stand in its field for the rest.

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
    arguments, lacking = dict(more), list[str]()
    whole: Any = kind
    hints = _hints(whole)
    for section_field in fields(whole):
        hint, key = hints[section_field.name], f"{place}{section_field.name}"
        if section_field.name in more:
            continue
        if REST in section_field.metadata:
            names = {own.name for own in fields(whole)}
            rest = {name: value for name, value in values.items() if name not in names}
            way_out = section_field.metadata.get(WAY_OUT, "")
            arguments[section_field.name] = _parts(rest, hint, place.rstrip("."), way_out)
            continue
        if section_field.name in values:
            arguments[section_field.name] = _value(
                values[section_field.name], hint, key, section_field.metadata.get(WAY_OUT, "")
            )
        elif is_dataclass(hint):
            try:
                arguments[section_field.name] = read(typing.cast(type[Any], hint), {}, f"{key}.")
            except LackError as error:
                lacking += error.keys
        elif section_field.default is MISSING and section_field.default_factory is MISSING:
            lacking.append(key)
    if lacking:
        raise LackError(lacking)
    return kind(**arguments)


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
    if isinstance(value, list):
        return tuple(value) if get_origin(_bare(hint)) is Sequence else value
    kinds = {_bare(member) for member in get_args(_bare(hint))} | {_bare(hint)}
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if is_number and float in kinds and int not in kinds else value


def _bare(hint: Any) -> Any:
    """A hint without its range."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


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
    """A value in a message, as yaml has it, of a bounded length."""
    text = {True: "true", False: "false", None: "null"}[value] if isinstance(value, bool | None) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def matches(value: Any, hint: Any) -> bool:
    """Whether a plain value is of the kind that a type hint means.

    True is no number, NaN and infinity neither; a whole number is a fraction too. What a hint says of objects admits
    no plain value.
    """
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if hint is Any:
        return True
    if origin is Annotated:
        return matches(value, arguments[0]) and all(condition.takes(value) for condition in arguments[1:])
    if origin is typing.Literal:
        return any(value == choice and type(value) is type(choice) for choice in arguments)
    if origin in (typing.Union, types.UnionType):
        return any(matches(value, member) for member in arguments)
    if hint is None:
        return value is None
    if origin in (list, tuple, Sequence):
        return isinstance(value, list | tuple) and _items_match(value, origin, arguments)
    if origin in (dict, Mapping):
        return isinstance(value, Mapping) and all(matches(item, arguments[1]) for item in value.values() if arguments)
    if origin in (int, float):
        return _is_number(value, origin)
    if origin in (str, bool):
        return type(value) is origin
    if origin is Path:
        return isinstance(value, str)
    return not isinstance(origin, type) or isinstance(value, origin)


def _is_number(value: Any, kind: type) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or (kind is float and math.isfinite(value))


def _items_match(values: Sequence[Any], origin: Any, arguments: Sequence[Any]) -> bool:
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        return len(values) == len(arguments) and all(map(matches, values, arguments))
    return not arguments or all(matches(item, arguments[0]) for item in values)


def described(hint: Any, of_objects: bool = False) -> str:
    """The kind that a type hint means, in words.

    Args:
        of_objects: a dataclass is an object that a part makes; by default a section of plain values.
    """
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if is_dataclass(origin) and not of_objects:
        return _WORDS[Mapping]
    if origin is Annotated:
        return " ".join([described(arguments[0], of_objects), *map(str, arguments[1:])])
    if origin is typing.Literal:
        return " or ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        kinds = [kind for kind in arguments if not _is_tensor(kind)]  # which no configuration can hold
        if {int, float} <= set(kinds):  # typing keeps `int | float` or `float | int`, whichever it met first
            kinds.remove(float)
            kinds.insert(kinds.index(int) + 1, float)
        return " or ".join(dict.fromkeys(described(kind, of_objects) for kind in kinds))
    if origin in (list, tuple, Sequence) and arguments:
        kinds = [
            Mapping if is_dataclass(kind) else get_origin(kind) or kind for kind in arguments if kind is not Ellipsis
        ]
        return f"a list of {' or '.join(dict.fromkeys(_PLURALS.get(kind, 'values') for kind in kinds))}"
    return _WORDS.get(origin, f"a part ({origin.__name__})" if isinstance(origin, type) else "another value")


def _is_tensor(kind: Any) -> bool:
    return isinstance(kind, type) and kind.__module__.partition(".")[0] == "torch" and kind.__name__ == "Tensor"


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)
