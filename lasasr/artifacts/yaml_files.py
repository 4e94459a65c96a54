"""Configurations in YAML from anyone: bounded before they are read, plain values afterwards.

YAML can name a value (`&a`) and mean it again (`*a`), so that a few lines stand for more values than fit in memory. The
events of a file are counted, as often as they are meant, before any object is made of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from lasasr.artifacts import files

MOST_BYTES: Final = 1 << 20
MOST_NODES: Final = 10_000  # keys and values; those of a recipe are some 500
CHARACTERS_OF_A_NODE: Final = 1000  # a longer text counts as several
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times as fast


def read(path: Path) -> Any:
    """The plain values of a YAML file.

    Raises:
        OSError: it is missing, or may not be read.
        LasasrError: it is no regular file, or too large.
        yaml.YAMLError: it is no YAML, or not as `parse` wants it.
        UnicodeDecodeError: it is no UTF-8.
    """
    return parse(files.read_bounded(path, MOST_BYTES).decode("utf-8"))


def parse(text: str) -> Any:
    """Dicts, lists and scalars of YAML.

    Raises:
        yaml.YAMLError: see `check`; or it holds what is no plain value (a date, binary data, a Python object).
    """
    check(text)
    try:
        value = yaml.load(text, Loader=_LOADER)  # one of the safe ones
    except (ValueError, TypeError, OverflowError) as error:  # a date of the 99th month, a number of 5,000 digits
        raise yaml.YAMLError(str(error)) from None
    _refuse_objects(value)
    return value


def check(text: str) -> None:
    """Refuse what would become too many objects, or another than was written.

    Raises:
        yaml.YAMLError: it is no YAML; has more than `MOST_NODES` keys and values, aliases counted as what they stand
            for; more levels than `files.MOST_DEPTH`; holds itself; or a key stands twice in one place.
    """
    finished: dict[str, int] = {}  # anchor → nodes that it stands for
    opened = [_Collection()]
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append(_Collection(event.anchor, isinstance(event, yaml.MappingStartEvent)))
            if len(opened) > files.MOST_DEPTH:
                raise _refused(event, f"more than {files.MOST_DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = opened.pop()
            _count(opened[-1], closed.nodes, closed.anchor, finished, event)
        elif isinstance(event, yaml.ScalarEvent):
            opened[-1].refuse_second(event)
            _count(opened[-1], 1 + len(event.value) // CHARACTERS_OF_A_NODE, event.anchor, finished, event)
        elif isinstance(event, yaml.AliasEvent):
            if any(node.anchor == event.anchor for node in opened):
                raise _refused(event, f"&{event.anchor} holds itself")
            _count(opened[-1], finished.get(str(event.anchor), 0), None, finished, event)


def first(text: str) -> Any:
    """The event that begins the first value of YAML that `check` has passed; None where there is none."""
    return next((event for event in yaml.parse(text, Loader=_LOADER) if isinstance(event, yaml.NodeEvent)), None)


@dataclass
class _Collection:
    anchor: str | None = None
    is_mapping: bool = False
    nodes: int = 1
    members: int = 0  # keys and values
    keys: set[str] = field(default_factory=set)

    def refuse_second(self, event: Any) -> None:
        """Refuse a key that stands there already: which of the two counts, readers do not agree on."""
        if self.is_mapping and self.members % 2 == 0:
            if event.value in self.keys:
                raise _refused(event, f"key {event.value} stands there twice")
            self.keys.add(event.value)


def _count(outer: _Collection, nodes: int, anchor: str | None, finished: dict[str, int], event: Any) -> None:
    outer.nodes += nodes
    outer.members += 1
    if outer.nodes > MOST_NODES:
        raise _refused(event, f"more than {MOST_NODES:,} values, aliases counted as what they stand for")
    if anchor is not None:
        finished[anchor] = nodes


def _refused(event: Any, why: str) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=why, problem_mark=event.start_mark)


def _refuse_objects(value: Any) -> None:
    level = [value]
    while level:
        inner: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                inner += [*node.keys(), *node.values()]
            elif isinstance(node, list):
                inner += node
            elif node is not None and not isinstance(node, str | int | float):
                raise yaml.YAMLError(f"it holds a {type(node).__name__}, which is no plain value: {str(node)[:40]!r}")
        level = inner
