"""One execution of a recipe: prepare, fit, keep the best, decode the evaluation splits."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger

from lasasr import build
from lasasr.corpora.base import Progress
from lasasr.data.datamodule import SpeechDataModule
from lasasr.data.sampler import Batching
from lasasr.errors import Interrupted
from lasasr.evaluation import evaluate_split
from lasasr.loss import JointLoss
from lasasr.prepare import Prepared, fit_frontend, prepare
from lasasr.recognizer import Recognizer
from lasasr.training.console import Console
from lasasr.training.interrupt import Interrupt
from lasasr.training.machine import computes_bf16, set_threads
from lasasr.training.maps import Maps
from lasasr.training.meter import Meter
from lasasr.training.module import Training

LAST = "last.ckpt"


def train(config: Mapping[str, Any], folder: Path, resume: bool, progress: Progress) -> dict[str, Any]:
    """Train into the run folder `folder`; return what its card says of the work.

    Raises:
        Interrupted: a signal ended training; `checkpoints/last.ckpt` holds everything `resume` needs.
        LasasrError: the work cannot be done; the message says why and what to do.
    """
    build.check_targets(config)
    _quiet()
    threads = set_threads(config["threads"])
    pl.seed_everything(int(config["seed"]), workers=True, verbose=False)
    prepared = prepare(config, progress)
    recognizer = Recognizer.build(config, prepared.tokenizer, str(prepared.rule))
    fit_frontend(recognizer.frontend, config, prepared, progress)
    _try_search(recognizer)
    fast_bf16 = config["bf16_if_fast"] and computes_bf16(config["trainer"]["accelerator"])
    trained_in = "bf16-mixed" if fast_bf16 else config["trainer"]["precision"]
    as_trained = {**config, "trainer": {**config["trainer"], "precision": trained_in}}
    module, meter, steps = _fit(as_trained, folder, resume, prepared, recognizer)
    train_s = meter.elapsed_s
    recognizer.eval().save(folder / "bundle")
    results = {
        split: evaluate_split(recognizer, prepared, split, config, folder, progress)
        for split in config["evaluate"]["splits"]
    }
    return {
        "parameters": sum(p.numel() for p in module.recognizer.model.parameters()),
        "steps": steps,
        "train_s": round(train_s, 1),
        "precision": trained_in,
        "threads": threads,
        "data": {"corpus": prepared.fingerprint, "normalizer": str(prepared.rule)},
        "infeasible_utterances": sorted(meter.infeasible),
        "results": results,
    }


def _try_search(recognizer: Recognizer) -> None:
    """Decode half a second of silence: a search that does not fit the model is said now, not after training."""
    samples = recognizer.frontend.sample_rate_hz // 2
    recognizer.eval().recognize(torch.zeros(1, samples), torch.tensor([samples]), ["silence"])
    recognizer.train()


def _quiet() -> None:
    """Lightning's advice on loaders, loggers and litmodels is not for users of a recipe."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")


def _fit(
    config: Mapping[str, Any], folder: Path, resume: bool, prepared: Prepared, recognizer: Recognizer
) -> tuple[Training, Meter, int]:
    data = data_module(config, prepared, recognizer.frontend.sample_rate_hz)
    module = training_module(config, prepared, recognizer)
    last = folder / "checkpoints" / LAST
    meter, interrupt = Meter(config["trainer"]["log_every_n_steps"]), Interrupt(last)
    metric = config["checkpoint"]["monitor"] or recognizer.error_metric
    best = _checkpoints(config, folder, metric)
    callbacks = [meter, Maps(config["validation"]["maps"]), best, _last(config, folder), interrupt, Console()]
    if config["early_stopping"]:
        callbacks.append(EarlyStopping(f"dev/{metric}", patience=config["early_stopping"]))
    trainer: pl.Trainer = build.build(
        config["trainer"],
        "trainer",
        callbacks=callbacks,
        logger=TensorBoardLogger(folder, name="", version="tensorboard"),
        default_root_dir=folder,
        enable_model_summary=False,
        use_distributed_sampler=False,  # the sampler shares the batches out itself
    )
    if trainer.logger is not None:
        trainer.logger.log_hyperparams(dict(config))
    trainer.fit(module, data, ckpt_path=str(last) if resume and last.exists() else None, weights_only=True)
    if interrupt.received is not None:
        raise Interrupted(interrupt.received)
    trainer.save_checkpoint(last)
    _restore(config, module, best)
    return module, meter, trainer.global_step


def data_module(config: Mapping[str, Any], prepared: Prepared, sample_rate_hz: int) -> SpeechDataModule:
    """The data as configured."""
    return SpeechDataModule(
        utterances=prepared.utterances,
        tokenizer=prepared.tokenizer,
        batching=build.build(config["batching"], "batching"),
        validation=Batching(1 << 30, config["evaluate"]["batch_s"]),
        loading=build.build(config["loading"], "loading"),
        perturbations=[build.build(one, "augment.waveform") for one in config["augment"]["waveform"]],
        sample_rate_hz=sample_rate_hz,
        seed=config["seed"],
    )


def training_module(config: Mapping[str, Any], prepared: Prepared, recognizer: Recognizer) -> Training:
    """The LightningModule as configured."""
    specaugment = config["augment"]["specaugment"]
    loss: JointLoss = build.build(config["loss"], "loss")
    loss.count(prepared.token_counts())
    return Training(
        recognizer=recognizer.searching(build.build(config["validation"]["search"], "validation.search")),
        loss=loss,
        specaugment=build.build(specaugment, "augment.specaugment", seed=config["seed"]) if specaugment else None,
        optimizer=partial(build.build, config["optimizer"], "optimizer"),
        schedule=partial(build.build, config["schedule"], "schedule"),
        sampling=build.build(config["sampling"], "sampling"),
        seed=config["seed"],
    )


def _checkpoints(config: Mapping[str, Any], folder: Path, metric: str) -> ModelCheckpoint:
    return ModelCheckpoint(
        dirpath=folder / "checkpoints",
        filename=f"step={{step}}-{metric}={{dev/{metric}:.2f}}",
        auto_insert_metric_name=False,
        monitor=f"dev/{metric}",
        save_top_k=config["checkpoint"]["best"],
    )


def _last(config: Mapping[str, Any], folder: Path) -> ModelCheckpoint:
    return ModelCheckpoint(
        dirpath=folder / "checkpoints",
        filename=LAST.removesuffix(".ckpt"),
        train_time_interval=timedelta(seconds=config["checkpoint"]["every_s"]),
        enable_version_counter=False,
    )


def _restore(config: Mapping[str, Any], module: Training, best: ModelCheckpoint) -> None:
    """Go back to the weights the bundle is made from."""
    if config["checkpoint"]["final"] == "last" or not best.best_model_path:
        return
    saved = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
    module.load_state_dict(saved["state_dict"])
