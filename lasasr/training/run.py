"""Training a recognizer: what is refused beforehand, its data, its module, and what is watched."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from lasasr.configuration.settings import Recognition
from lasasr.data.datamodule import SpeechDataModule
from lasasr.data.sampler import Batching
from lasasr.errors import UsageError
from lasasr.models import factory, language_model
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import Prepared
from lasasr.training import data_check
from lasasr.training.alignment import AlignmentWatch
from lasasr.training.attention_map_logger import AttentionMapLogger
from lasasr.training.ema import MovingAverage
from lasasr.training.fit import check_settings, fit
from lasasr.training.memory import peak_mib
from lasasr.training.metric_logger import MetricLogger
from lasasr.training.module import Training
from lasasr.training.progress_printer import ProgressPrinter
from lasasr.training.warm_start import trained_bundle


def check(settings: Recognition, begun: bool = False) -> None:
    """Refuse what can be seen to be wrong before anything is prepared or written.

    Args:
        begun: whether a checkpoint is gone on from, for which no warm start is needed any more.

    Raises:
        LasasrError: the work cannot be done; the message says why and what to do.
    """
    check_settings(settings)
    data_options(settings)
    # once before hours of preparation: what it refuses, or returns in its place, is said now
    factory.loss(settings.loss, settings.seed)
    factory.build(settings.sampling, "sampling")
    frontend = factory.frontend(settings.frontend, settings.seed)
    if settings.augment.specaugment and not frontend.spectral:
        raise UsageError(
            f"augment.specaugment masks frequencies, but the features of {type(frontend).__name__} have no frequency "
            f"axis: take an augment without it, as augment=none or augment=speed"
        )
    if settings.warm_start.run and not begun:
        trained_bundle(settings.warm_start.run)


def fit_recognizer(
    settings: Recognition, folder: Path, resume: bool, prepared: Prepared, recognizer: Recognizer
) -> dict[str, Any]:
    """Train the recognizer; what the card says of that, on the first rank."""
    data = data_module(settings, prepared, recognizer.frontend.sample_rate_hz)
    data.content = {split: prepared.content(split) for split in data_check.used_splits(settings)}
    module = training_module(settings, prepared, recognizer)
    metric = settings.checkpoint.monitor or recognizer.error_metric
    meter, watch = MetricLogger(settings.trainer["log_every_n_steps"]), AlignmentWatch(**vars(settings.alignment))
    # a moving average goes before those who look at the weights or save them
    average = [] if settings.ema is None else [MovingAverage(settings.ema)]
    watchers = [*average, meter, watch, AttentionMapLogger(settings.validation.maps)]
    printer = ProgressPrinter(metric, metric.upper(), " %")
    trainer, validations = fit(settings, folder, resume, module, data, metric, printer, watchers)
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
        "self_attentive": recognizer.model.encoder.self_attentive,
    }


def data_module(settings: Recognition, prepared: Prepared, sample_rate_hz: int) -> SpeechDataModule:
    """The data as configured."""
    return SpeechDataModule(
        utterances=prepared.utterances,
        tokenizer=prepared.tokenizer,
        sample_rate_hz=sample_rate_hz,
        seed=settings.seed,
        **data_options(settings),
    )


def data_options(settings: Recognition) -> dict[str, Any]:
    """How utterances become batches, as configured.

    Raises:
        UsageError: a value is nonsense.
        LasasrError: a folder of noise or of impulse responses is missing, or holds no audio.
    """
    return {
        "batching": factory.build(settings.batching, "batching"),
        "validation": Batching(1 << 30, settings.evaluate.batch_s),
        "loading": factory.build(settings.loading, "loading"),
        "perturbations": [factory.build(one, "augment.waveform") for one in settings.augment.waveform],
    }


def training_module(settings: Recognition, prepared: Prepared, recognizer: Recognizer) -> Training:
    """The LightningModule as configured."""
    specaugment = settings.augment.specaugment
    loss = factory.loss(settings.loss, settings.seed)
    loss.prepare(prepared.token_counts())
    return Training(
        recognizer=recognizer.searching(
            language_model.search(settings.validation.search, recognizer.tokenizer, "validation.search")
        ),
        loss=loss,
        specaugment=factory.build(specaugment, "augment.specaugment", seed=settings.seed) if specaugment else None,
        optimizer=partial(factory.build, settings.optimizer, "optimizer"),
        schedule=partial(factory.build, settings.schedule, "schedule"),
        sampling=factory.build(settings.sampling, "sampling"),
        seed=settings.seed,
    )
