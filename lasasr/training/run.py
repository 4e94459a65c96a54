"""One execution of a recipe: prepare, fit, keep the best, decode the evaluation splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from lasasr.artifacts.runs import Run
from lasasr.corpora.base import Progress
from lasasr.data.datamodule import SpeechDataModule
from lasasr.data.sampler import Batching
from lasasr.errors import UsageError
from lasasr.evaluation.split import evaluate_split
from lasasr.models import factory
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import Prepared, fit_frontend, prepare
from lasasr.training import data_check
from lasasr.training.alignment import AlignmentWatch
from lasasr.training.console import Console, quiet
from lasasr.training.ema import MovingAverage
from lasasr.training.fit import check_config, fit
from lasasr.training.machine import keep_freed_memory, precision, set_threads
from lasasr.training.maps import Maps
from lasasr.training.memory import peak_mib
from lasasr.training.meter import Meter
from lasasr.training.module import Training
from lasasr.training.warm_start import trained_bundle, warm_start


def train(
    config: Mapping[str, Any],
    folder: Path,
    resume: bool,
    progress: Progress,
    inspect: Callable[[Prepared, Recognizer], None] | None = None,
) -> dict[str, Any]:
    """Train into the run folder `folder`; return what its card says of the work (nothing but on the first rank).

    Args:
        inspect: called with what was prepared before any audio is read; raises to stop.

    Raises:
        Interrupted: a signal ended training; `checkpoints/last.ckpt` holds everything `resume` needs.
        LasasrError: the work cannot be done; the message says why and what to do.
    """
    begun = resume and Run(folder).begun  # then its weights come after any beginning
    check(config, begun)
    trained_in = precision(config)
    quiet()
    threads = set_threads(config["threads"])
    keep_freed_memory()
    pl.seed_everything(int(config["seed"]), workers=True, verbose=False)
    prepared = prepare(config, progress)
    data = data_check.begin(folder, prepared, config, resume)
    recognizer = Recognizer.build(config, prepared.tokenizer, str(prepared.rule))
    if inspect is not None:
        inspect(prepared, recognizer)
    if config["warm_start"]["run"] and not begun:
        warm_start(recognizer, **config["warm_start"])
    fit_frontend(recognizer.frontend, config, prepared, progress)
    recognizer.try_search()
    recognizer.train()
    as_trained = {**config, "trainer": {**config["trainer"], "precision": trained_in}}
    fitted = _fit(as_trained, folder, resume, prepared, recognizer)
    if not fitted:
        return {}
    recognizer.trained_on = prepared.lengths()
    recognizer.eval().save(folder / "bundle")
    results = {
        split: evaluate_split(recognizer, prepared, split, config, folder, progress)
        for split in config["evaluate"]["splits"]
    }
    return {
        "parameters": recognizer.parameter_count,
        **fitted,
        "precision": trained_in,
        "threads": threads,
        "data": data,
        "results": results,
    }


def check(config: Mapping[str, Any], begun: bool = False) -> None:
    """Refuse what can be seen to be wrong before anything is prepared or written.

    Args:
        begun: whether a checkpoint is gone on from, for which no warm start is needed any more.

    Raises:
        LasasrError: the work cannot be done; the message says why and what to do.
    """
    check_config(config)
    data_options(config)
    factory.loss(config)  # once before hours of preparation: what it refuses, or returns in its place, is said now
    factory.build(config["sampling"], "sampling")
    frontend = factory.frontend(config)
    if config["augment"]["specaugment"] and not frontend.spectral:
        raise UsageError(
            f"augment.specaugment masks frequencies, but the features of {type(frontend).__name__} have no frequency "
            f"axis: take an augment without it, as augment=none or augment=speed"
        )
    if config["warm_start"]["run"] and not begun:
        trained_bundle(config["warm_start"]["run"])


def _fit(
    config: Mapping[str, Any], folder: Path, resume: bool, prepared: Prepared, recognizer: Recognizer
) -> dict[str, Any]:
    """Train the recognizer; what the card says of that, on the first rank."""
    data = data_module(config, prepared, recognizer.frontend.sample_rate_hz)
    data.content = {split: prepared.content(split) for split in data_check.used_splits(config)}
    module = training_module(config, prepared, recognizer)
    metric = config["checkpoint"]["monitor"] or recognizer.error_metric
    meter, watch = Meter(config["trainer"]["log_every_n_steps"]), AlignmentWatch(**config["alignment"])
    # a moving average goes before those who look at the weights or save them
    average = [] if config["ema"] is None else [MovingAverage(config["ema"])]
    watchers = [*average, meter, watch, Maps(config["validation"]["maps"])]
    console = Console(metric, metric.upper(), " %")
    trainer, validations = fit(config, folder, resume, module, data, metric, console, watchers)
    if not trainer.is_global_zero:
        return {}
    return {
        "steps": trainer.global_step,
        "train_s": round(meter.elapsed_s, 1),
        "peak_memory_mib": peak_mib(trainer.strategy.root_device),
        "aligned_at_step": watch.aligned_at_step,
        "alignment_unknown": watch.unknown,
        "alignment_alarm": watch.alarm,
        "validations": validations,
        "infeasible_utterances": sorted(meter.infeasible),
    }


def data_module(config: Mapping[str, Any], prepared: Prepared, sample_rate_hz: int) -> SpeechDataModule:
    """The data as configured."""
    return SpeechDataModule(
        utterances=prepared.utterances,
        tokenizer=prepared.tokenizer,
        sample_rate_hz=sample_rate_hz,
        seed=config["seed"],
        **data_options(config),
    )


def data_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """How utterances become batches, as configured.

    Raises:
        UsageError: a value is nonsense.
        LasasrError: a folder of noise or of impulse responses is missing, or holds no audio.
    """
    return {
        "batching": factory.build(config["batching"], "batching"),
        "validation": Batching(1 << 30, config["evaluate"]["batch_s"]),
        "loading": factory.build(config["loading"], "loading"),
        "perturbations": [factory.build(one, "augment.waveform") for one in config["augment"]["waveform"]],
    }


def training_module(config: Mapping[str, Any], prepared: Prepared, recognizer: Recognizer) -> Training:
    """The LightningModule as configured."""
    specaugment = config["augment"]["specaugment"]
    loss = factory.loss(config)
    loss.prepare(prepared.token_counts())
    return Training(
        recognizer=recognizer.searching(factory.build(config["validation"]["search"], "validation.search")),
        loss=loss,
        specaugment=factory.build(specaugment, "augment.specaugment", seed=config["seed"]) if specaugment else None,
        optimizer=partial(factory.build, config["optimizer"], "optimizer"),
        schedule=partial(factory.build, config["schedule"], "schedule"),
        sampling=factory.build(config["sampling"], "sampling"),
        seed=config["seed"],
    )
