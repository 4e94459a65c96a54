"""Training a language model: what is refused beforehand, its data, its module, and what its splits measure."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from lasasr.configuration.settings import Language
from lasasr.corpora.base import Progress
from lasasr.data.datamodule import TextDataModule
from lasasr.data.sampler import Batching
from lasasr.errors import UsageError
from lasasr.evaluation.perplexity import perplexity
from lasasr.models import factory
from lasasr.models.language_model import TrainedLM
from lasasr.preparation.text import PreparedText
from lasasr.training import data_check
from lasasr.training.fit import check_settings, fit
from lasasr.training.lm_metric_logger import LMMetricLogger
from lasasr.training.lm_module import LMTraining
from lasasr.training.progress_printer import ProgressPrinter

METRIC = "perplexity"


def check(settings: Language) -> None:
    """Refuse what can be seen to be wrong before anything is prepared or written.

    Raises:
        LasasrError: the work cannot be done; the message says why and what to do.
    """
    check_settings(settings)
    share = settings.trainer.get("limit_val_batches")
    if share is not None and not (isinstance(share, float) and share == 1.0):  # 1 is one batch, 1.0 all of them
        raise UsageError(f"trainer.limit_val_batches={share}: perplexities are of whole splits; leave it out")


def evaluate(
    settings: Language, trained: TrainedLM, prepared: PreparedText, progress: Progress
) -> dict[str, dict[str, Any]]:
    """Perplexities of the splits `evaluate.splits`, each with what its text is."""
    batching = Batching(1 << 30, settings.evaluate.batch_tokens)
    return {
        split: {
            "split": split,
            "data": prepared.content(split),
            **perplexity(trained, prepared, split, batching, progress),
        }
        for split in settings.evaluate.splits
    }


def fit_language_model(
    settings: Language, folder: Path, resume: bool, prepared: PreparedText, trained: TrainedLM
) -> dict[str, Any]:
    """Train the model; what the card says of that, on the first rank."""
    validation = Batching(1 << 30, settings.evaluate.batch_tokens)
    batching: Batching = factory.build(settings.batching, "batching")
    data = TextDataModule(prepared.sentences, batching, validation, settings.seed)
    data.content = {split: prepared.content(split) for split in data_check.used_splits(settings)}
    module = LMTraining(
        trained,
        prepared.sentences("dev").counts,
        optimizer=partial(factory.build, settings.optimizer, "optimizer"),
        schedule=partial(factory.build, settings.schedule, "schedule"),
        seed=settings.seed,
    )
    meter = LMMetricLogger(settings.trainer["log_every_n_steps"])
    printer = ProgressPrinter(METRIC, METRIC)
    trainer, validations = fit(settings, folder, resume, module, data, METRIC, printer, [meter])
    if not trainer.is_global_zero:
        return {}
    return {
        "steps": trainer.global_step,
        "train_s": round(meter.elapsed_s, 1),
        "validations": validations,
    }
