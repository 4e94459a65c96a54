"""What every validation said; and training does not end without one."""

from __future__ import annotations

import math
import sys
from typing import Any

import lightning.pytorch as pl


class Validations(pl.Callback):
    """Keeps step, epoch and every dev value of each validation; validates after the last update if nothing else did.

    Without that a corpus so small that `val_check_interval` is never reached, or an end between two validations,
    would leave the last weights unjudged and, in the first case, no best checkpoint.
    """

    def __init__(self) -> None:
        self.history: list[dict[str, float | int]] = []

    def state_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"history": [dict(values) for values in self.history]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the checkpoint stood."""
        self.history = [dict(values) for values in state_dict["history"]]

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget the last one's values: Lightning would give those that are not measured this time once more."""
        for name in [name for name in trainer.callback_metrics if name.startswith("dev/")]:
            del trainer.callback_metrics[name]

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep what it said, as far as a card can: it is JSON, which knows finite numbers only."""
        if trainer.sanity_checking:
            return
        said = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("dev/")}
        endless = [name for name, value in said.items() if not math.isfinite(value)]
        if endless and trainer.is_global_zero:
            sys.stderr.write(f"warning: not finite at step {trainer.global_step}, left out: {', '.join(endless)}\n")
        about = {"step": trainer.global_step, "epoch": trainer.current_epoch}
        self.history.append(
            about | {name.removeprefix("dev/"): said[name] for name in sorted(said) if name not in endless}
        )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validate, unless that is done."""
        judged = bool(self.history) and self.history[-1]["step"] == trainer.global_step
        if trainer.enable_validation and not judged:
            trainer.validating = True
            trainer.fit_loop.epoch_loop.val_loop.run()
            trainer.training = True
