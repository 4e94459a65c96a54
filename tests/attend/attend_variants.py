"""The shipped variants, composed from their yaml as the command does."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import lasasr.configs
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from omegaconf import OmegaConf

FOLDER = Path(lasasr.configs.__file__).parent / "attend"
VARIANTS = sorted(path.stem for path in FOLDER.glob("*.yaml") if not path.stem.startswith("_"))


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
