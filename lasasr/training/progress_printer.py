"""What a person sees while training: a bar with loss, error rate and speed, and a line after each validation."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import TQDMProgressBar

from lasasr.remaining import Remaining, about


class ProgressPrinter(TQDMProgressBar):
    """On a terminal a bar; in a file only the lines.

    Args:
        metric: the dev value of the lines, by which the best is told.
        label, unit: that stand before and after it.
    """

    def __init__(self, metric: str, label: str, unit: str = "") -> None:
        super().__init__(refresh_rate=5 if sys.stderr.isatty() else 0, leave=False)
        self.metric, self.label, self.unit = metric, label, unit
        self.start = time.perf_counter()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The clock of the lines starts here; what is about to be done is said."""
        super().on_train_start(trainer, pl_module)
        self.start, self.remaining, self.estimated = time.perf_counter(), Remaining(), False
        total, done = trainer.estimated_stepping_batches, trainer.global_step
        self.updates = int(total) if total != float("inf") else None
        if self.updates is not None and trainer.is_global_zero:
            before = f", {done:,} of them done before" if done else ""
            self.print(f"training: {self.updates:,} updates{before}")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """How long it takes, once the first updates have told; without a bar also now and then how far it is."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if self.updates is None or not trainer.is_global_zero:
            return
        left_s = self.remaining.left_s(trainer.global_step, self.updates)
        if left_s is None or (self.estimated and not self.is_disabled and sys.stderr.isatty()):
            return
        whole = f"{self.updates:,} updates, {about(self.updates / self.remaining.rate)}" if not self.estimated else ""
        step = f"step {trainer.global_step:,} of {self.updates:,}"
        self.print(f"{whole or step}: {about(left_s)} left, {60 * self.remaining.rate:.3g} updates a minute")
        self.estimated = True

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """Short names, few digits."""
        shown = super().get_metrics(trainer, pl_module)
        shown.pop("v_num", None)
        short = {key.split("/")[-1].replace("audio_s_per_s", "audio-s/s"): value for key, value in shown.items()}
        return {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in short.items()}

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """One line that stays."""
        super().on_validation_end(trainer, pl_module)
        if not trainer.is_global_zero:
            return
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        value = metrics[f"dev/{self.metric}"]
        minutes, seconds = divmod(int(time.perf_counter() - self.start), 60)
        best = trainer.checkpoint_callback.best_model_score if trainer.checkpoint_callback else None  # type: ignore[attr-defined]
        is_best = best is None or value < float(best)  # of equals the first is kept; this one is not yet counted
        loss = f"{metrics['train/loss']:6.3f}" if "train/loss" in metrics else "     –"
        self.print(
            f"{minutes:3d}:{seconds:02d}  epoch {trainer.current_epoch:3d}  step {trainer.global_step:6d}  "
            f"loss {loss}  dev {self.label} {value:6.2f}{self.unit}{'  best so far' if is_best else ''}"
        )

    def print(self, *values: Any, sep: str = " ", **kwargs: Any) -> None:
        """Above the bar on a terminal; plainly into a file."""
        if self.is_disabled:
            sys.stderr.write(sep.join(str(value) for value in values) + "\n")
            sys.stderr.flush()
        else:
            super().print(*values, sep=sep, **kwargs)


def quiet() -> None:
    """Lightning's advice on loaders, loggers and litmodels is not for users of a recipe."""
    for library in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(library).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
