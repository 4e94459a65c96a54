"""An exponential moving average of the weights, validated and shipped in their place."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from lasasr.errors import UsageError


class MovingAverage(WeightAveraging):
    """After update n > 1, average ← d · average + (1 − d) · weights, d = min(decay, n / (9 + n)); update 1 starts it.

    The smaller d of the first updates lets the average forget where training began. Validation decodes with the
    average, and a checkpoint's `state_dict` holds it, so that the bundle and `lasasr average` see nothing else; the
    weights being trained stand beside it for the resumed run. Buffers are not averaged.

    Args:
        decay: d in the long run, 0 < decay < 1: 0.999 averages over about the last thousand updates.

    Raises:
        UsageError: decay is outside (0, 1).
    """

    def __init__(self, decay: float) -> None:
        if not 0.0 < decay < 1.0:
            raise UsageError(f"ema must be null or a decay between 0 and 1, got {decay}")
        self.decay = decay
        self._validates = False  # the module holds the average, and this the weights
        super().__init__(use_buffers=False, avg_fn=self._followed)

    def _followed(self, average: Tensor, weights: Tensor, updates: Tensor | int) -> Tensor:
        """`updates` are those that the average has seen: n − 1."""
        count = torch.as_tensor(updates, dtype=torch.float64)
        decay = torch.clamp((1 + count) / (10 + count), max=self.decay).to(average)
        return average + (1 - decay) * (weights - average)

    def _swap_models(self, pl_module: pl.LightningModule) -> None:
        super()._swap_models(pl_module)
        self._validates = not self._validates

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """In a validation that fails, too, the weights being trained stand where a resumed run looks for them."""
        if self._validates:
            self._swap_models(pl_module)
            checkpoint["state_dict"] = pl_module.state_dict()
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
