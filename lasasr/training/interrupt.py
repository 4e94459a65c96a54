"""Ctrl-C, SIGTERM and SIGUSR1 end training after the update under way, saved; a second one ends it at once."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Checkpoint

from lasasr.data.loader import BatchError
from lasasr.distributed import exchange
from lasasr.errors import Interrupted, LasasrError
from lasasr.nn import host_mirror

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
ECHO_S = 5.0  # torchrun and srun send on to their ranks what these have already received


class Interrupt(Checkpoint):
    """Writes `last` every so often, and once more when any rank has received a signal; then all ranks stop.

    It is written between two updates, never among accumulated batches, and where a validation follows, after that: a
    checkpoint from in between would lose what was accumulated, or that validation. All ranks agree on both by one
    reduction per update.

    Args:
        last: where to write.
        every_s: at least so often, seconds.
    """

    def __init__(self, last: Path, every_s: float) -> None:
        self.last, self.every_s = last, every_s
        self.received = 0  # the signal's number; 0: none
        self.received_at = self.saved_at = 0.0
        self.saved_step = 0  # updates that `last`, or what training went on from, holds
        self.patience_s = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take over from Lightning's handlers, which hang where one rank alone gets a signal; its teardown puts back
        those from before it.

        Raises:
            LasasrError: the ranks do not begin at the same update.
        """
        self.saved_at, self.saved_step = time.monotonic(), trainer.global_step
        self.patience_s = ECHO_S if trainer.world_size > 1 else 0.0
        _begin_together(trainer)
        _begin_epoch(trainer)
        for number in SIGNALS:
            signal.signal(number, self._note)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if not self.received:
            self.received, self.received_at = signum, time.monotonic()
        elif time.monotonic() - self.received_at >= self.patience_s:
            raise KeyboardInterrupt

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Between two updates, unless a validation is to come first."""
        loop = trainer.fit_loop.epoch_loop
        fetcher = trainer.fit_loop._data_fetcher
        assert fetcher is not None
        last_update = trainer.global_step >= trainer.estimated_stepping_batches
        if not (loop._should_accumulate() or loop._should_check_val_fx(fetcher) or last_update):
            self._boundary(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """After a validation."""
        if not trainer.sanity_checking:
            self._boundary(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Save what has been trained when the next batch cannot be loaded; several ranks would wait for each other."""
        loop = trainer.fit_loop.epoch_loop
        progress: Any = loop.batch_progress
        unsaved = (trainer.training or trainer.validating) and trainer.global_step > self.saved_step
        between_updates = progress.current.ready == progress.current.completed and not loop._should_accumulate()
        if not (isinstance(exception, BatchError) and unsaved and between_updates and trainer.world_size == 1):
            return
        if trainer.validating:
            _begin_validation(loop)
        elif progress.current.completed:  # as in on_train_batch_end, from where a resume goes on
            for count in (progress.current, progress.total):
                count.completed -= 1
            loop._batches_that_stepped -= 1
        trainer.save_checkpoint(self.last)

    def _boundary(self, trainer: pl.Trainer) -> None:
        """Save when it is time, and stop when asked to.

        Raises:
            Interrupted: on every rank.
        """
        due = trainer.is_global_zero and time.monotonic() - self.saved_at >= self.every_s
        save = int(due)
        if trainer.world_size > 1:
            agreed = host_mirror.to(torch.tensor([self.received, save]), trainer.strategy.root_device)
            self.received, save = exchange.largest(agreed).tolist()
        if save or self.received:
            trainer.save_checkpoint(self.last)
            self.saved_at, self.saved_step = time.monotonic(), trainer.global_step
        if self.received:
            raise Interrupted(self.received)


def _begin_validation(loop: Any) -> None:
    """Have what goes on from here begin with the validation under way: Lightning continues one that it finds begun."""
    progress = loop.val_loop.batch_progress
    progress.reset_on_run()
    total = progress.total
    total.processed = total.completed = total.ready
    total.ready = total.started = total.ready + 1


def _begin_together(trainer: pl.Trainer) -> None:
    """See that all ranks stand at the same update: a checkpoint that some do not see would be half a resume."""
    if trainer.world_size == 1:
        return
    begun = exchange.gathered(trainer.global_step)
    for rank, step in enumerate(begun):
        if step != begun[0]:
            raise LasasrError(
                f"rank {rank} begins at update {step}, rank 0 at {begun[0]}: "
                "the run folder must lie on a file system that all nodes share"
            )


def _begin_epoch(trainer: pl.Trainer) -> None:
    """Have the next epoch counted: Lightning takes a checkpoint after the last batch of one for one from its midst."""
    epochs: Any = trainer.fit_loop.epoch_progress.current
    if trainer.fit_loop.restarted_mid_epoch and epochs.ready == epochs.processed:
        trainer.fit_loop.reset_restart_stage()
