"""Attention maps and hypotheses for the loggers that take them, after each validation."""

from __future__ import annotations

import sys
from typing import Any

import lightning.pytorch as pl
from torch import Tensor

from lasasr.artifacts.utterance_files import file_words
from lasasr.data.batch import Batch
from lasasr.escaping import escaped
from lasasr.evaluation.maps import attention_figure
from lasasr.training.loggers import Media, media
from lasasr.training.module import Training


class AttentionMapLogger(pl.Callback):
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
        for row, utterance_id in enumerate(batch.ids):
            if len(self.waveforms) < self.utterances and trainer.is_global_zero:
                self.waveforms[utterance_id] = batch.waveforms[row, : batch.waveform_lengths[row]].cpu()

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say which loggers go without."""
        for logger in trainer.loggers:
            if self.utterances and trainer.is_global_zero and not isinstance(logger, Media):
                sys.stderr.write(
                    f"the logger {type(logger).__name__} gets the numbers, but neither attention maps nor hypotheses: "
                    "it has no show_figure and show_text (docs/logging.md)\n"
                )

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw and write."""
        assert isinstance(pl_module, Training)
        loggers = media(trainer)
        if not loggers:
            return
        shown = [outcome for outcome in pl_module.outcomes if outcome.id in self.waveforms]
        words = file_words(outcome.id for outcome in shown)
        text = "\n\n".join(f"    {escaped(outcome.reference)}\n    {escaped(outcome.best.text)}" for outcome in shown)
        for outcome in shown:
            if outcome.best.weights is not None:
                figure = attention_figure(pl_module.recognizer, self.waveforms[outcome.id], outcome)
                for logger in loggers:
                    logger.show_figure(f"attention/{words[outcome.id]}", figure, trainer.global_step)
        for logger in loggers:
            logger.show_text("dev/hypotheses", text, trainer.global_step)
