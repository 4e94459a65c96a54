"""Fitting, whatever is trained: what is kept, what is shown, how it stops and goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import TensorBoardLogger

from lasasr import build
from lasasr.errors import Interrupted
from lasasr.training.checkpoints import LAST, keep_best, keep_last, restore
from lasasr.training.console import Console
from lasasr.training.interrupt import Interrupt
from lasasr.training.memory import watch_peak
from lasasr.training.validations import Validations


class Fitted(NamedTuple):
    """What is left of a training that came to its end."""

    trainer: pl.Trainer
    validations: list[dict[str, float | int]]


def fit(
    config: Mapping[str, Any],
    folder: Path,
    resume: bool,
    module: pl.LightningModule,
    data: pl.LightningDataModule,
    metric: str,
    console: Console,
    watchers: Sequence[pl.Callback],
) -> Fitted:
    """Train `module` in the run folder; it ends with the weights that the bundle is made from.

    Args:
        metric: the dev value that tells the best.
        watchers: callbacks that go before those who save their state.

    Raises:
        Interrupted: a signal ended training; `checkpoints/last.ckpt` holds everything `resume` needs.
    """
    last = folder / "checkpoints" / LAST
    interrupt = Interrupt(last)
    best, validations = keep_best(config, folder, metric), Validations(interrupt)
    callbacks = [*watchers, validations, best, keep_last(config, folder), interrupt, console]
    if config["early_stopping"]:
        callbacks.append(EarlyStopping(f"dev/{metric}", patience=config["early_stopping"]))
    trainer: pl.Trainer = build.build(
        config["trainer"],
        "trainer",
        callbacks=callbacks,
        logger=TensorBoardLogger(folder, name="", version="tensorboard", default_hp_metric=False),
        default_root_dir=folder,
        enable_model_summary=False,
        use_distributed_sampler=False,  # the sampler shares the batches out itself
    )
    if trainer.logger is not None:
        trainer.logger.log_hyperparams(dict(config))
    watch_peak(trainer.strategy.root_device)
    trainer.fit(module, data, ckpt_path=str(last) if resume and last.exists() else None, weights_only=True)
    if interrupt.received is not None:
        raise Interrupted(interrupt.received)
    trainer.save_checkpoint(last)
    restore(config, module, best)
    return Fitted(trainer, validations.history)
