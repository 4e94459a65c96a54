"""One execution of a language model's recipe: prepare, fit, keep the best, measure perplexity."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from lasasr.artifacts import perplexity_results
from lasasr.corpora.base import Progress
from lasasr.data.datamodule import TextDataModule
from lasasr.data.sampler import Batching
from lasasr.errors import UsageError
from lasasr.evaluation.perplexity import perplexity
from lasasr.models import factory
from lasasr.models.language_model import TrainedLM
from lasasr.preparation.text import PreparedText, prepare_text, token_batching
from lasasr.training import data_check
from lasasr.training.console import Console, quiet
from lasasr.training.fit import check_config, fit
from lasasr.training.lm_meter import LMMeter
from lasasr.training.lm_module import LMTraining
from lasasr.training.machine import precision, set_threads

METRIC = "perplexity"


def train(config: Mapping[str, Any], folder: Path, resume: bool, progress: Progress) -> dict[str, Any]:
    """Train into the run folder `folder`; return what its card says of the work (nothing but on the first rank).

    Raises:
        Interrupted: a signal ended training; `checkpoints/last.ckpt` holds everything `resume` needs.
        LasasrError: the work cannot be done; the message says why and what to do.
    """
    check(config)
    trained_in = precision(config)
    quiet()
    threads = set_threads(config["threads"])
    pl.seed_everything(int(config["seed"]), workers=True, verbose=False)
    prepared = prepare_text(config, progress)
    data = data_check.begin(folder, prepared, config, resume)
    trained = TrainedLM.build(config, prepared.tokenizer, str(prepared.rule))
    as_trained = {**config, "trainer": {**config["trainer"], "precision": trained_in}}
    fitted = _fit(as_trained, folder, resume, prepared, trained)
    if not fitted:
        return {}
    trained.eval().save(folder / "bundle")
    results = evaluate(config, trained, prepared, progress)
    perplexity_results.write_own(folder, results)
    return {
        "parameters": sum(p.numel() for p in trained.parameters()),
        **fitted,
        "precision": trained_in,
        "threads": threads,
        "data": data,
        "results": results,
    }


def check(config: Mapping[str, Any]) -> None:
    """Refuse what can be seen to be wrong before anything is prepared or written.

    Raises:
        LasasrError: the work cannot be done; the message says why and what to do.
    """
    check_config(config)
    share = config["trainer"].get("limit_val_batches")
    if share is not None and not (isinstance(share, float) and share == 1.0):  # 1 is one batch, 1.0 all of them
        raise UsageError(f"trainer.limit_val_batches={share}: perplexities are of whole splits; leave it out")


def evaluate(
    config: Mapping[str, Any], trained: TrainedLM, prepared: PreparedText, progress: Progress
) -> dict[str, Any]:
    """Perplexities of the splits `evaluate.splits`, each with what its text is."""
    batching = Batching(1 << 30, float(config["evaluate"]["batch_tokens"]))
    return {
        split: {
            "split": split,
            "data": prepared.content(split),
            **perplexity(trained, prepared, split, batching, progress),
        }
        for split in config["evaluate"]["splits"]
    }


def _fit(
    config: Mapping[str, Any], folder: Path, resume: bool, prepared: PreparedText, trained: TrainedLM
) -> dict[str, Any]:
    """Train the model; what the card says of that, on the first rank."""
    validation = Batching(1 << 30, float(config["evaluate"]["batch_tokens"]))
    data = TextDataModule(prepared.sentences, token_batching(config), validation, config["seed"])
    data.content = {split: prepared.content(split) for split in data_check.used_splits(config)}
    module = LMTraining(
        trained,
        prepared.sentences("dev").counts,
        optimizer=partial(factory.build, config["optimizer"], "optimizer"),
        schedule=partial(factory.build, config["schedule"], "schedule"),
        seed=config["seed"],
    )
    meter = LMMeter(config["trainer"]["log_every_n_steps"])
    console = Console(METRIC, METRIC)
    trainer, validations = fit(config, folder, resume, module, data, METRIC, console, [meter])
    if not trainer.is_global_zero:
        return {}
    return {
        "steps": trainer.global_step,
        "train_s": round(meter.elapsed_s, 1),
        "validations": validations,
    }
