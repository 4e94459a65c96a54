"""The shipped variants, composed from their yaml as the command does."""

from __future__ import annotations

from functools import cache
from typing import Any

from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from omegaconf import OmegaConf
from shipped_parts import PRESET, names, with_presets

VARIANTS = names("attend")
PRESETS = sorted({*with_presets("attend")} - {*VARIANTS})


def variant(name: str) -> str:
    """The variant whose options a preset sets; a variant itself as it is."""
    return name if name in VARIANTS else name.removesuffix(PRESET)


@cache
def config(name: str) -> dict[str, Any]:
    """The plain values of `attend=name`."""
    with initialize_config_module("lasasr.configs", version_base="1.3"):
        composed = compose(overrides=[f"+attend={name}"])
    values: Any = OmegaConf.to_container(composed.attend, resolve=True)
    return values


def factory(name: str, **changes: Any) -> Any:
    """What builds the variant from `encoded_dim` and `query_dim`, with some options changed."""
    return instantiate(config(name) | changes)
