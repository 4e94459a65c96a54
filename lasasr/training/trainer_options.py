"""The options of Lightning's Trainer: which a user sets, which the toolkit does, and what is done about the rest."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Final

import lightning.pytorch as pl
from lightning.pytorch.profilers import AdvancedProfiler, Profiler, PyTorchProfiler, SimpleProfiler

from lasasr.configuration.sections import Part
from lasasr.errors import UsageError, nearest
from lasasr.models import factory

# Options that would be overridden or would break a run → what to write instead.
REFUSED: Final = {
    "barebones": "it leaves out what a run is told by; logger=none has least to write",
    "callbacks": "+callbacks.NAME._target_=your.Callback adds one",
    "default_root_dir": "runs lie in runs_dir=DIR, or LASASR_RUNS",
    "enable_autolog_hparams": "loggers get the whole configuration; logger=none has no loggers",
    "enable_checkpointing": "checkpoint.best and checkpoint.every_s say what is kept",
    "enable_model_summary": "the card says how many parameters there are",
    "fast_dev_run": "write trainer.max_steps=2 +trainer.limit_val_batches=2, into a run folder of its own",
    "inference_mode": "Lightning's validation within training computes no gradients, whatever it says",
    "limit_predict_batches": "nothing is predicted by the Trainer; evaluate.splits says what is decoded",
    "limit_test_batches": "nothing is tested by the Trainer; evaluate.splits says what is decoded",
    "logger": "logger=tensorboard, csv, wandb, mlflow or none, or several: logger=[tensorboard,csv]",
    "model_registry": "checkpoints stay in the run folder; lasasr export makes what is given away",
    "overfit_batches": "debug=overfit trains, validates and tests on the same utterances (debug.overfit_utterances=20)",
    "plugins": "trainer.precision and trainer.strategy choose what they would",
    "reload_dataloaders_every_n_epochs": "each epoch has an order of its own already",
    "use_distributed_sampler": "the sampler shares the batches out among ranks itself",
}
PROFILERS: Final = {"simple": SimpleProfiler, "advanced": AdvancedProfiler, "pytorch": PyTorchProfiler}
PROFILE: Final = "profile"  # folder of the reports, in the run folder


def check_options(trainer: Part) -> None:
    """Refuse options that would have no effect.

    Raises:
        UsageError: names the option and what to write instead.
    """
    for name, value in trainer.items():
        if name in REFUSED and value is not None:
            raise UsageError(f"trainer.{name}={value} cannot be set: {REFUSED[name]}")
    if trainer.get("_target_") == "lightning.pytorch.Trainer":
        parameters = inspect.signature(pl.Trainer).parameters
        for name in trainer:
            if name not in parameters and not name.startswith("_"):
                names = [f"trainer.{name}" for name in parameters if name not in REFUSED]
                raise UsageError(
                    f"trainer.{name} is no option of Lightning's Trainer; {nearest(f'trainer.{name}', names)}"
                )
    for name in ("max_steps", "max_epochs"):
        if trainer.get(name) == 0 and not isinstance(trainer[name], bool):
            raise UsageError(f"trainer.{name}=0 would train nothing: take a number above 0, or -1 for no limit")
    if trainer.get("max_steps") == -1 and trainer.get("max_epochs") == -1:
        raise UsageError(
            "trainer.max_steps=-1 and trainer.max_epochs=-1 set no end, by which schedules are made: set one of them"
        )
    for name in ("limit_train_batches", "limit_val_batches", "val_check_interval", "check_val_every_n_epoch"):
        if isinstance(trainer.get(name), int | float) and not trainer[name] > 0:
            raise UsageError(f"trainer.{name} must be above 0, got {trainer[name]}: a run is trained, and validated")
    option = trainer.get("profiler")
    if isinstance(option, str) and option not in PROFILERS:
        raise UsageError(f"trainer.profiler={option} is unknown; {nearest(option, PROFILERS)}")


def user_options(trainer: Part) -> dict[str, Any]:
    """What the Trainer is built from, without what it is given as objects."""
    given_as_objects = (*REFUSED, "profiler", "enable_progress_bar")  # the printer is the bar
    return {name: value for name, value in trainer.items() if name not in given_as_objects}


def make_profiler(trainer: Part, folder: Path) -> Profiler | None:
    """The profiler that `trainer.profiler` names; its reports go into `profile/` of the run folder."""
    option, place = trainer.get("profiler"), folder / PROFILE
    if option is None:
        return None
    if isinstance(option, str):
        named: Profiler = PROFILERS[option](dirpath=place, filename=option)
        return named
    profiler: Profiler = factory.build(option, "trainer.profiler")
    profiler.dirpath = profiler.dirpath or place
    profiler.filename = profiler.filename or type(profiler).__name__
    return profiler
