"""Every encoder that `configs/listen/` names, small."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from omegaconf import OmegaConf

from lasasr.listen.base import Encoder

F = 10
OF_A_FOLDER = ("pretrained",)  # needs weights: tests/listen/pretrained tries it
FOLDER = Path(__file__).parents[2] / "configs" / "listen"
NAMES = sorted({path.stem for path in FOLDER.glob("[!_]*.yaml")} - set(OF_A_FOLDER))
SMALL: dict[str, Any] = {"hidden_dim": 6, "projection_dim": 0, "feedforward_dim": 12, "heads": 2, "blstm_dim": 4}
CHANNELS = {list: [3, 4], int: 3}  # of convolutions, by whether each has a number of its own


@cache
def _shipped(name: str) -> Any:
    with initialize_config_module("lasasr.configs", version_base="1.3"):
        return OmegaConf.to_container(compose(f"listen/{name}")["listen"], resolve=True)


RECURRENT = [name for name in NAMES if "lstm" in _shipped(name)]


def encoder(name: str, features: int = F, **options: Any) -> Encoder:
    """The named encoder for so many features with small sizes and `options`, in evaluation."""
    config = _shipped(name)
    sizes = {key: value for key, value in SMALL.items() if key in config}
    if "channels" in config:
        sizes["channels"] = CHANNELS[type(config["channels"])]
    torch.manual_seed(0)
    listen: Encoder = instantiate({**config, **sizes, **options}, _convert_="all")(input_dim=features)
    return listen.eval()
