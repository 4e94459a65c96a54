"""`tokenizer.json`: how tokenizers are kept in a folder.

The file names the tokenizer's class by its dotted path, so that the build finds the class that can load it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lasasr.artifacts.files import read_json, write_json
from lasasr.configuration import moved
from lasasr.errors import LasasrError
from lasasr.text.base import Tokenizer

FILE = "tokenizer.json"
SCHEMA = 1


def type_name(kind: type[Tokenizer]) -> str:
    """Dotted path of a tokenizer class: "lasasr.text.character.CharacterTokenizer"."""
    return f"{kind.__module__}.{kind.__qualname__}"


def write(folder: Path, tokenizer: Tokenizer, fields: Mapping[str, Any]) -> None:
    """Write `tokenizer.json` with the plain values `fields`; write it last, it vouches for the files beside it."""
    write_json(folder / FILE, {"schema": SCHEMA, "type": type_name(type(tokenizer)), **fields})


def read(folder: Path, kind: type[Tokenizer]) -> dict[str, Any]:
    """Read what `write` wrote for a tokenizer of class `kind`.

    Raises:
        LasasrError: the file is missing, damaged, of another schema, or holds another class of tokenizer.
    """
    stored = _stored(folder)
    if moved.current_path(stored["type"]) != type_name(kind):
        raise LasasrError(f"{folder / FILE} holds a {stored['type']}, not a {type_name(kind)}")
    return stored


def damaged(folder: Path, reason: object) -> LasasrError:
    """The error for a tokenizer whose files do not make sense."""
    return LasasrError(f"{folder / FILE} is damaged ({reason}); prepare the tokenizer again")


def _stored(folder: Path) -> dict[str, Any]:
    stored = read_json(folder / FILE)
    if not isinstance(stored, dict) or not isinstance(stored.get("type"), str):
        raise damaged(folder, "it names no type")
    if stored.get("schema") != SCHEMA:
        raise LasasrError(f"{folder / FILE} has schema {stored.get('schema')!r}, this version reads {SCHEMA}")
    return stored
