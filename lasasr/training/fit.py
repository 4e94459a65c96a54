"""Fitting, whatever is trained: what is kept, what is shown, how it stops and goes on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as pl
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.accelerators import AcceleratorRegistry
from lightning.pytorch.callbacks import EarlyStopping

from lasasr.configuration import users_parts
from lasasr.configuration.sections import Part
from lasasr.configuration.settings import Settings
from lasasr.data.loader import naming_lost_workers
from lasasr.distributed import exchange, launch
from lasasr.errors import Interrupted, LasasrError, LostRankError, PartError, UsageError, nearest
from lasasr.models import factory
from lasasr.training.checkpoint_owner import id_of_run, misfit
from lasasr.training.checkpoints import LAST, WholeFiles, clear, keep_best, newest, restore
from lasasr.training.interrupt import Interrupt
from lasasr.training.loggers import begin, check_loggers, make_loggers
from lasasr.training.machine import precision
from lasasr.training.memory import watch_peak
from lasasr.training.own_callbacks import make_callbacks, with_users
from lasasr.training.progress_printer import ProgressPrinter
from lasasr.training.rate_check import check_rate
from lasasr.training.token_normalized import TokenNormalizedModule
from lasasr.training.trainer_options import check_options, make_profiler, user_options
from lasasr.training.validations import Validations


class Fitted(NamedTuple):
    """What is left of a training that came to its end."""

    trainer: pl.Trainer
    validations: list[dict[str, float | int]]


def fit(
    settings: Settings,
    folder: Path,
    resume: bool,
    module: TokenNormalizedModule,
    data: pl.LightningDataModule,
    metric: str,
    printer: ProgressPrinter,
    watchers: Sequence[pl.Callback],
) -> Fitted:
    """Train `module` in the run folder; it ends with the weights that the bundle is made from.

    Args:
        metric: the dev value that tells the best.
        watchers: callbacks that go before those who save their state.

    Raises:
        Interrupted: a signal ended training, on every rank; `checkpoints/last.ckpt` holds all that `resume` needs.
        LostRankError: another rank has ended, or says nothing for longer than trainer.strategy.timeout_s.
    """
    last, run_id = folder / "checkpoints" / LAST, id_of_run(folder)
    interrupt = Interrupt(last, settings.checkpoint.every_s)
    best, validations = keep_best(settings, folder, metric), Validations()
    own = [*watchers, validations, printer, best, interrupt]
    if settings.early_stopping:
        patience = settings.early_stopping
        own.append(EarlyStopping(f"dev/{metric}", patience=patience, check_on_train_epoch_end=False))
    if settings.trainer.get("enable_progress_bar") is False:
        printer.disable()
    loggers = make_loggers(settings, folder)
    with _misconfigured():
        trainer: pl.Trainer = factory.build(
            user_options(as_launched(settings.trainer)),
            "trainer",
            profiler=make_profiler(settings.trainer, folder),
            callbacks=with_users(make_callbacks(settings), own),
            plugins=_plugins(run_id),
            logger=list(loggers.values()) or False,
            default_root_dir=folder,
            enable_model_summary=False,
            use_distributed_sampler=False,  # the sampler shares the batches out itself
        )
    foreign = functools.partial(misfit, module=module, run_id=run_id)
    start = _start(last.parent, foreign) if resume else None
    watch_peak(trainer.strategy.root_device)
    with (
        _misconfigured(),
        _stepping(settings),
        _restoring(trainer, start) as restored,
        _losing_ranks(trainer),
        naming_lost_workers(),
    ):
        begin(loggers, settings)
        trainer.fit(module, data, ckpt_path=start, weights_only=True)
        if restored.done or start != str(last):  # else nothing was left, but Lightning would count one epoch more
            trainer.save_checkpoint(last)
    if interrupt.received:  # after the last update, where no validation followed
        raise Interrupted(interrupt.received)
    restore(settings, module, best, foreign)
    return Fitted(trainer, validations.history)


def check_settings(settings: Settings) -> None:
    """Refuse what can be seen to be wrong, whatever is trained, before anything is prepared or written.

    Raises:
        UsageError: an option is nonsense.
        LasasrError: a `_target_` is not allowed.
    """
    check_trainer(settings.trainer)
    precision(settings)
    factory.check_targets(settings.plain)
    check_loggers(settings)
    make_callbacks(settings)
    check_rate(settings)


def check_trainer(trainer: Part) -> None:
    """Refuse what Lightning would take and training cannot.

    Raises:
        UsageError: an option is nonsense.
    """
    check_options(trainer)
    _check_accelerator(trainer["accelerator"])
    if (algorithm := trainer.get("gradient_clip_algorithm")) not in (None, "norm"):
        raise UsageError(f"trainer.gradient_clip_algorithm={algorithm}: gradients are clipped by norm; leave it out")


def _check_accelerator(name: str) -> None:
    kinds = sorted(AcceleratorRegistry.available_accelerators())
    there = {kind: AcceleratorRegistry[kind]["accelerator"].is_available() for kind in kinds}
    there = {"auto": True, "gpu": any(there[kind] for kind in kinds if kind != "cpu")} | there
    if name not in there:
        raise UsageError(f"trainer.accelerator={name} is unknown; {nearest(name, there)}")
    if not there[name]:
        raise UsageError(f"trainer.accelerator={name} is not to be had on this machine; leave it out")


def as_launched(trainer: Part) -> dict[str, Any]:
    """The Trainer's options with the nodes and processes that torchrun or srun started.

    Raises:
        UsageError: they do not fit what is configured.
    """
    shape = launch.launched()
    if shape is None:
        return dict(trainer)
    if trainer["strategy"] == "auto" and shape.world > 1:
        raise UsageError(f"{shape.world} processes were started, but the trainer is one process's: add trainer=ddp")
    if trainer["devices"] not in ("auto", shape.processes):
        requested = f"trainer.devices={trainer['devices']}"
        raise UsageError(f"{requested}, but {shape.processes} processes were started on each node: leave it out")
    return {**trainer, "devices": shape.processes, "num_nodes": shape.nodes}


def _plugins(run_id: str | None) -> list[Any]:
    """How checkpoints are written; under srun also that the job script requeues, not Lightning."""
    if launch.by_torchrun() or launch.launched() is None:
        return [WholeFiles(run_id)]
    try:
        return [WholeFiles(run_id), SLURMEnvironment(auto_requeue=False)]
    except RuntimeError as error:  # it wants --ntasks-per-node
        raise UsageError(" ".join(str(error).split())) from error


def _start(checkpoints: Path, misfit: Callable[[Path], str | None]) -> str | None:
    """Where to go on from; what is damaged, or another run's, is said aloud."""
    path, faults = newest(checkpoints, misfit)
    for fault in faults:
        launch.say(f"warning: {fault}; going on from {path}")
        clear(checkpoints)
    return None if path is None else str(path)


@contextmanager
def _misconfigured() -> Iterator[None]:
    """Say in one line what Lightning finds wrong with the Trainer's options."""
    try:
        yield
    except MisconfigurationException as error:
        raise UsageError(f"trainer: {' '.join(str(error).split())}") from error


@contextmanager
def _stepping(settings: Settings) -> Iterator[None]:
    """Say whose fault it is that no gradients were computed."""
    try:
        yield
    except MisconfigurationException as error:
        if "closure hasn't been executed" not in str(error):
            raise
        target = settings.optimizer["_target_"]
        raise PartError(f"optimizer ({target}): step must call the closure, which computes the gradients") from error


@contextmanager
def _restoring(trainer: pl.Trainer, start: str | None) -> Iterator[Restored]:
    """Say in one line that a checkpoint does not fit: it is restored, by Lightning, before the first batch."""
    before = Restored()
    trainer.callbacks.append(before)  # type: ignore[attr-defined]
    try:
        yield before
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        if start is None or before.done or users_parts.fault(error):
            raise
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise LasasrError(f"{start} is no checkpoint of this run ({reason}); --fresh trains again") from error


class Restored(pl.Callback):
    """Notes that training begins."""

    done = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """All states have been restored."""
        self.done = True


@contextmanager
def _losing_ranks(trainer: pl.Trainer) -> Iterator[None]:
    """Say in one line what a lost connection is."""
    try:
        yield
    except RuntimeError as error:
        if trainer.world_size == 1 or not exchange.is_lost_connection(error):
            raise
        said = exchange.connection_fault(error)
        raise LostRankError(f"another rank has ended or hangs; it may have said why above ({said})") from error
