"""Class paths of earlier versions: they stand in bundles, runs, recipes and tokenizers, which are read for ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# What stood there → where it is now. A class, or a module with all it holds; what was moved twice has two rows that
# both name the last place.
MOVED: Final[dict[str, str]] = {
    "lasasr.audio.frontend.Frontend": "lasasr.audio.fbank_frontend.FbankFrontend",
    "lasasr.loss": "lasasr.losses.joint",
}


def current_path(path: str) -> str:
    """The path of today for one that a file or a command line names; `Class.method` moves with its class."""
    old = max((old for old in MOVED if f"{path}.".startswith(f"{old}.")), key=len, default=None)
    return path if old is None else MOVED[old] + path[len(old) :]


def current_config(config: Any) -> Any:
    """A copy of plain values in which every `_target_`, at any depth, has its path of today."""
    if isinstance(config, Mapping):
        return {
            key: current_path(value) if key == "_target_" and isinstance(value, str) else current_config(value)
            for key, value in config.items()
        }
    return [current_config(value) for value in config] if isinstance(config, list | tuple) else config
