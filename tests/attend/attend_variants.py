"""The shipped variants, composed from their yaml as the command does."""

from __future__ import annotations

from functools import cache
from typing import Any

from hydra.utils import instantiate
from shipped_parts import PRESET, composed, names, with_presets

VARIANTS = names("attend")
PRESETS = sorted({*with_presets("attend")} - {*VARIANTS})


def variant(name: str) -> str:
    """The variant whose options a preset sets; a variant itself as it is."""
    return name if name in VARIANTS else name.removesuffix(PRESET)


@cache
def config(name: str) -> dict[str, Any]:
    """The plain values of `attend=name`."""
    return dict(composed("attend", name))


def factory(name: str, **changes: Any) -> Any:
    """What builds the variant from `encoded_dim` and `query_dim`, with some options changed."""
    return instantiate(config(name) | changes)
