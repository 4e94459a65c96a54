"""What a bundle says of itself in config.yaml; read without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from lasasr.artifacts import yaml_files
from lasasr.configuration import moved
from lasasr.errors import LasasrError, looked_up

SCHEMA: Final = 1  # of a recognizer's bundle
CONFIG: Final = "config.yaml"
WEIGHTS: Final = "model.safetensors"
DELTA: Final = "adapter.safetensors"  # in the place of all weights: what differs from those of another bundle
_KIND_WORDS: Final = {dict: "a part with keys", int: "a whole number", str: "a text"}


def read_config(folder: Path, schema: int, parts: Sequence[str]) -> dict[str, Any]:
    """config.yaml.

    Raises:
        LasasrError: it is missing, damaged, larger than any, of another schema, or lacks one of `parts`.
    """
    path = folder / CONFIG
    try:
        config = yaml_files.read(path)
    except FileNotFoundError:
        way_out = f"a run's is in its bundle/ folder{looked_up(path)}"
        raise LasasrError(f"{path} is missing: not a bundle; {way_out}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LasasrError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    missing = [name for name in parts if not isinstance(config, dict) or name not in config]
    if missing or not isinstance(config, dict):
        raise LasasrError(f"{path} lacks {', '.join(missing) or 'keys'}: not the config.yaml of such a bundle")
    if config.get("schema") != schema:
        raise LasasrError(f"{path} has schema {config.get('schema')}, this version reads {schema}")
    kinds = {"seed": int, "normalizer": str}
    for name in parts:
        kind = kinds.get(name, dict)
        if not isinstance(config[name], kind | None if kind is dict else kind):
            raise LasasrError(f"{path}: {name} is {str(config[name])[:60]!r}, not {_KIND_WORDS[kind]}")
    return dict(moved.current_config(config))
