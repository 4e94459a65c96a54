"""Every encoder that `configs/listen/` names, small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from omegaconf import OmegaConf

from lasasr.listen.base import Encoder

F = 10
NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "configs" / "listen").glob("[!_]*.yaml"))
SMALL: dict[str, Any] = {"hidden_dim": 6, "projection_dim": 0, "channels": [3, 4]}


def encoder(name: str, features: int = F, **options: Any) -> Encoder:
    """The named encoder for so many features with small sizes and `options`, in evaluation."""
    with initialize_config_module("lasasr.configs", version_base="1.3"):
        config: Any = OmegaConf.to_container(compose(f"listen/{name}")["listen"], resolve=True)
    sizes = {key: value for key, value in SMALL.items() if key in config}
    torch.manual_seed(0)
    listen: Encoder = instantiate({**config, **sizes, **options}, _convert_="all")(input_dim=features)
    return listen.eval()
