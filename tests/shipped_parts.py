"""The choices in configs/, made small."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

CONFIGS = Path(__file__).parents[1] / "configs"
# attend=NAME_espnet sets options of attend=NAME: tests/attend holds it to every promise and to its formula, and suites
# that try every choice with every other one leave it out, but for the one that the first version shipped
PRESET, FIRST = "_espnet", "location_espnet"
NEEDS_FILES = [("listen", "pretrained")]  # weights of others: tests/listen/pretrained makes some


def names(group: str) -> list[str]:
    """Of the choices of a group, presets left out."""
    return [name for name in with_presets(group) if name == FIRST or not name.endswith(PRESET)]


def with_presets(group: str) -> list[str]:
    """Of all choices of a group."""
    stems = sorted(path.stem for path in (CONFIGS / group).glob("*.yaml") if not path.stem.startswith("_"))
    return [stem for stem in stems if (group, stem) not in NEEDS_FILES]


@cache
def composed(group: str, name: str) -> Mapping[str, Any]:
    """Its plain values."""
    with initialize_config_module("lasasr.configs", version_base="1.3"):
        config = compose(f"{group}/{name}")
    plain: Any = OmegaConf.to_container(config[group], resolve=True)
    return {str(key): value for key, value in plain.items()}


@cache
def part(group: str, name: str) -> Mapping[str, Any]:
    """The same with widths of 8: what is tested does not depend on them."""
    plain = composed(group, name)
    return {key: 8 if key.endswith("dim") and isinstance(value, int) else value for key, value in plain.items()}
