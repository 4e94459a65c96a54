"""Which checkpoints a run keeps, and which of them its bundle is made from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

LAST = "last.ckpt"


def keep_best(config: Mapping[str, Any], folder: Path, metric: str) -> ModelCheckpoint:
    """The best by `dev/<metric>`."""
    return ModelCheckpoint(
        dirpath=folder / "checkpoints",
        filename=f"step={{step}}-{metric}={{dev/{metric}:.2f}}",
        auto_insert_metric_name=False,
        monitor=f"dev/{metric}",
        save_top_k=config["checkpoint"]["best"],
    )


def keep_last(config: Mapping[str, Any], folder: Path) -> ModelCheckpoint:
    """The last, written every so often."""
    return ModelCheckpoint(
        dirpath=folder / "checkpoints",
        filename=LAST.removesuffix(".ckpt"),
        train_time_interval=timedelta(seconds=config["checkpoint"]["every_s"]),
        enable_version_counter=False,
    )


def restore(config: Mapping[str, Any], module: pl.LightningModule, best: ModelCheckpoint) -> None:
    """Go back to the weights the bundle is made from."""
    if config["checkpoint"]["final"] == "last" or not best.best_model_path:
        return
    saved = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
    module.load_state_dict(saved["state_dict"])
