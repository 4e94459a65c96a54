"""`fit` as runs call it, with the configuration that a command line makes, on eight utterances."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lightning.pytorch as pl
from training_tiny import Data, SignalAt, training

from lasasr.cli.compose import compose
from lasasr.configuration.settings import load
from lasasr.training.fit import Fitted, check_settings, fit
from lasasr.training.interrupt import Interrupt
from lasasr.training.module import Training
from lasasr.training.progress_printer import ProgressPrinter

SHORT = (
    "trainer.accelerator=cpu",
    "trainer.max_epochs=2",
    "trainer.check_val_every_n_epoch=1",
    "trainer.val_check_interval=1.0",
    "trainer.log_every_n_steps=1",
)


def fit_tiny(
    folder: Path,
    *overrides: str,
    resume: bool = False,
    watchers: Sequence[pl.Callback] = (),
    without: Sequence[str] = (),
    module: Training | None = None,
) -> Fitted:
    """Train into a run folder, four updates an epoch.

    Args:
        without: keys of the configuration that are left out, as from a run that is older than they are.
        module: what is trained; None: `training()`.
    """
    plain = compose("synthetic/las_char", [*SHORT, *overrides])
    settings = load({key: value for key, value in plain.items() if key not in without}, "test")
    check_settings(settings)
    module, printer = module or training(), ProgressPrinter("wer", "WER", " %")
    return fit(settings, folder, resume, module, Data(), "wer", printer, watchers)


class InterruptAt(SignalAt):
    """Ctrl-C during an update of `fit_tiny`."""

    def __init__(self, step: int) -> None:
        super().__init__(step, Interrupt(Path(), 0.0))

    def on_fit_start(self, trainer: pl.Trainer, *_: object) -> None:
        """Find the one that will stop."""
        (self.interrupt,) = (one for one in trainer.callbacks if isinstance(one, Interrupt))  # type: ignore[attr-defined]
