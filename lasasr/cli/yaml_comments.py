"""What the yaml files say of themselves: their first comment, and the comment behind each key."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from lasasr.artifacts import files, yaml_files


def title(path: Path, width: int = 120) -> str:
    """The comment at the head of a file, in one line; "" where there is none.

    Args:
        width: characters; what is longer ends with an ellipsis.
    """
    head = takewhile(lambda line: line.startswith("#"), _text(path).splitlines())
    comments = [line[1:].strip() for line in head if not line.startswith("# @")]
    return textwrap.shorten(" ".join(comments), width, placeholder=" ...")


def comments(path: Path) -> dict[str, str]:
    """Dotted key → the comment behind it in its line, "" where there is none; lines of `defaults` are left out."""
    text = _text(path)
    root, lines = yaml.compose(text, Loader=yaml.SafeLoader), text.splitlines()
    if not isinstance(root, yaml.MappingNode):
        return {}
    return {
        key: lines[node.start_mark.line][node.end_mark.column :].partition(" # ")[2].strip()
        for key, node in _keys(root)
        if key.partition(".")[0] != "defaults"
    }


def parts(path: Path) -> list[str]:
    """The names in `defaults` that begin with `_` or stand beside the file: what else its keys come from."""
    plain: Any = yaml.safe_load(_text(path))
    listed = plain.get("defaults") or [] if isinstance(plain, Mapping) else []
    return [name for name in listed if isinstance(name, str) and name != "_self_" and not name.startswith("/")]


def _keys(node: yaml.MappingNode, prefix: str = "") -> Iterator[tuple[str, yaml.Node]]:
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        yield name, key
        if isinstance(value, yaml.MappingNode):
            yield from _keys(value, f"{name}.")


def _text(path: Path) -> str:
    text = files.read_bounded(path, yaml_files.MOST_BYTES).decode("utf-8")
    yaml_files.check(text)
    return text
