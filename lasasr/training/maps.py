"""Attention maps and hypotheses into TensorBoard after each validation."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from lasasr.data.batch import Batch
from lasasr.evaluation.maps import attention_figure
from lasasr.training.module import Training


class Maps(pl.Callback):
    """Draws the same few dev utterances every time, so that one can see attention find its diagonal."""

    def __init__(self, utterances: int) -> None:
        self.utterances = utterances
        self.waveforms: dict[str, Tensor] = {}

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the waveforms of the first utterances; every validation sees them in the same order."""
        for row, one in enumerate(batch.ids):
            if len(self.waveforms) < self.utterances and trainer.is_global_zero:
                self.waveforms[one] = batch.waveforms[row, : batch.waveform_lengths[row]].cpu()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw and write."""
        assert isinstance(pl_module, Training)
        if not isinstance(trainer.logger, TensorBoardLogger) or not trainer.is_global_zero:
            return
        board = trainer.logger.experiment
        shown = [one for one in pl_module.outcomes if one.id in self.waveforms]
        for one in shown:
            if one.best.weights is not None:
                figure = attention_figure(pl_module.recognizer, self.waveforms[one.id], one)
                board.add_figure(f"attention/{one.id}", figure, trainer.global_step)
        text = "\n\n".join(f"    {one.reference}\n    {one.best.text}" for one in shown)
        board.add_text("dev/hypotheses", text, trainer.global_step)
