"""Training a recognizer: what is refused beforehand, its data, its module, and what is watched."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from lasasr.audio.specaugment import SpecAugment
from lasasr.configuration.settings import Recognition
from lasasr.corpora.base import Progress
from lasasr.data.content import REPLAY
from lasasr.data.datamodule import SpeechDataModule
from lasasr.data.dataset import Taught
from lasasr.data.encodings import Kept
from lasasr.data.replayed import drawn_of
from lasasr.data.sampler import Batching
from lasasr.distributed import launch
from lasasr.errors import UsageError
from lasasr.models import encoder_parts, factory, language_model
from lasasr.models.recognizer import Recognizer
from lasasr.preparation import encodings, teaching
from lasasr.preparation.speech import Prepared
from lasasr.training import adapting, converged, data_check
from lasasr.training.alignment import AlignmentWatch
from lasasr.training.attention_map_logger import AttentionMapLogger
from lasasr.training.ema import MovingAverage
from lasasr.training.fit import check_settings, fit
from lasasr.training.memory import peak_mib
from lasasr.training.metric_logger import MetricLogger
from lasasr.training.module import Training
from lasasr.training.parameter_groups import brought
from lasasr.training.pretrained import pretrained_facts, share_line, thawing
from lasasr.training.transcript_printer import TranscriptPrinter
from lasasr.training.warm_start import trained_bundle


def check(settings: Recognition, begun: bool = False) -> None:
    """Refuse what can be seen to be wrong before anything is prepared or written.

    Args:
        begun: whether a checkpoint is gone on from, for which no warm start is needed any more.

    Raises:
        LasasrError: the work cannot be done; the message says why and what to do.
    """
    check_settings(settings)
    for search in (settings.search, settings.validation.search):
        language_model.refuse_missing(search)
    data_options(settings)
    # once before hours of preparation: what it refuses, or returns in its place, is said now
    if (teaching_wanted := factory.loss(settings.loss, settings.seed).teaching) is not None:
        teaching.check(teaching_wanted)
        if settings.adapt.replay is not None:
            raise UsageError(
                "adapt=replay cannot stand beside a loss with teachers, which say nothing of the second corpus: leave "
                "one of them out, or take adapt=[replay,self_distillation]"
            )
    factory.build(settings.sampling, "sampling")
    _specaugment(settings)
    encodings.reason_against(settings)
    adapting.check(settings)
    # with adapt= both stand in the configuration as the bundle has them, and the encoder's folder may be gone
    resolved = settings.frontend, settings.listen
    if not adapting.is_adapting(settings):
        resolved = encoder_parts.resolved_parts(*resolved)
    frontend = factory.frontend(resolved[0], settings.seed)
    if settings.augment.specaugment and not frontend.spectral and not encoder_parts.keeps_frozen(settings.listen):
        raise UsageError(
            f"augment.specaugment masks frequencies, but the features of {type(frontend).__name__} have no frequency "
            f"axis: take an augment without it, as augment=none or augment=speed"
        )
    if settings.warm_start.run and not begun:
        trained_bundle(settings.warm_start.run)


def fit_recognizer(
    settings: Recognition, folder: Path, resume: bool, prepared: Prepared, recognizer: Recognizer, progress: Progress
) -> dict[str, Any]:
    """Train the recognizer; what the card says of that, on the first rank."""
    begun = time.perf_counter()
    kept = kept_splits(settings, recognizer, prepared, progress)
    encoding_s = {"encoding_s": round(time.perf_counter() - begun, 1)} if kept else {}
    taught = taught_splits(settings, folder, resume, prepared, progress)
    data = data_module(settings, prepared, recognizer.frontend.sample_rate_hz, kept, taught)
    data.content = {split: prepared.content(split) for split in data_check.used_splits(settings)}
    module = training_module(settings, prepared, recognizer)
    if not resume and launch.helper() is None:
        for line in converged.warnings(module.loss, module.recognizer, prepared):
            launch.say(f"warning: {line}")
    metric = settings.checkpoint.monitor or recognizer.error_metric
    meter, watch = MetricLogger(settings.trainer["log_every_n_steps"]), AlignmentWatch(**vars(settings.alignment))
    # a moving average goes before those who look at the weights or save them
    average = [] if settings.ema is None else [MovingAverage(settings.ema)]
    adapts = adapting.is_adapting(settings)
    thaw = thawing(recognizer, adapting.chosen_method(settings) if adapts else None)
    watchers = [*average, *thaw, meter, watch, AttentionMapLogger(settings.validation.maps)]
    later = [*brought(recognizer), *(module.rates.later if module.rates else ())]
    if (share := share_line(recognizer, later, always=adapts)) is not None:
        launch.say(share)
    if recognizer.model.large_outputs:
        size = recognizer.model.vocabulary_size
        launch.say(f"note: {size:,} tokens: the joint loss computes their logits in pieces, for less memory")
    printer = TranscriptPrinter(metric, metric.upper(), " %")
    about_start = pretrained_facts(recognizer)  # before anything thaws
    if adapts:
        about_start |= adapting.begin(settings, folder, recognizer, resume, _say_replayed(settings, prepared))
    trainer, validations = fit(settings, folder, resume, module, data, metric, printer, watchers)
    if not trainer.is_global_zero:
        return {}
    return {
        **about_start,
        **encoding_s,
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


def _say_replayed(settings: Recognition, prepared: Prepared) -> int | None:
    """Say what a second corpus gives; its utterances in an epoch, None where there is none."""
    ratio = replay_ratio(settings)
    if ratio is None:
        return None
    own, replayed = (len(prepared.utterances(split)) for split in ("train", REPLAY))
    drawn = drawn_of(own, ratio)
    counts = f"{drawn:,} utterances, drawn from {replayed:,}, join the {own:,} of train in each epoch"
    launch.say(f"replay: {counts} ({100 * ratio:.0f} % of each batch)")
    return drawn


def kept_splits(
    settings: Recognition, recognizer: Recognizer, prepared: Prepared, progress: Progress
) -> dict[str, Kept]:
    """What a frozen encoder gives of train and dev, computed where it is not there yet; nothing where it is not kept.

    Raises:
        UsageError: `loading.cache_encoded` asks for what cannot be kept.
    """
    against = encodings.reason_against(settings)
    if against is not None:
        if recognizer.is_staged:
            launch.say(f"note: the frozen encoder runs in every epoch: {against}")
        return {}
    kept = {
        split: encodings.keep(settings, recognizer, prepared, split, progress, _device(settings))
        for split in ("train", "dev", *prepared.others)
    }
    return {split: of_split for split, of_split in kept.items() if of_split is not None}


def _device(settings: Recognition) -> str:
    """Where an encoder or a teacher computes before training."""
    return "cuda" if settings.trainer["accelerator"] != "cpu" and torch.cuda.is_available() else "cpu"


def taught_splits(
    settings: Recognition, folder: Path, resume: bool, prepared: Prepared, progress: Progress
) -> dict[str, Taught]:
    """What the teachers of the loss say of train and dev, which the card then names; nothing without any.

    Raises:
        UsageError: a teacher cannot be asked.
        LasasrError: the run goes on, and a teacher is not what it was.
    """
    wanted = factory.loss(settings.loss, settings.seed).teaching
    if wanted is None:
        return {}
    teaching.note(wanted, folder, resume)
    return teaching.taught_splits(wanted, settings, prepared, progress, _device(settings))


def data_module(
    settings: Recognition,
    prepared: Prepared,
    sample_rate_hz: int,
    kept: Mapping[str, Kept] | None = None,
    taught: Mapping[str, Taught] | None = None,
) -> SpeechDataModule:
    """The data as configured."""
    return SpeechDataModule(
        utterances=prepared.utterances,
        tokenizer=prepared.tokenizer,
        sample_rate_hz=sample_rate_hz,
        seed=settings.seed,
        kept=kept,
        taught=taught,
        tokens=prepared.tokens,
        replay_ratio=replay_ratio(settings),
        **data_options(settings),
    )


def replay_ratio(settings: Recognition) -> float | None:
    """The share of a batch that a second corpus gives; None: there is none.

    Raises:
        UsageError: it is out of its range.
    """
    part = settings.adapt.replay
    return None if part is None else factory.build(part, "adapt.replay").ratio


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
        "perturbations": [factory.build(part, "augment.waveform") for part in settings.augment.waveform],
    }


def _specaugment(settings: Recognition) -> SpecAugment | None:
    """As configured; None: without."""
    part = settings.augment.specaugment
    return factory.build(part, "augment.specaugment", seed=settings.seed) if part else None


def training_module(settings: Recognition, prepared: Prepared, recognizer: Recognizer) -> Training:
    """The LightningModule as configured."""
    loss = factory.loss(settings.loss, settings.seed)
    loss.prepare(prepared.token_counts())
    if adapting.is_adapting(settings):
        loss = adapting.regularized(settings, loss, recognizer)
    module = Training(
        recognizer=recognizer.searching(
            language_model.search(settings.validation.search, recognizer.tokenizer, "validation.search")
        ),
        loss=loss,
        specaugment=_specaugment(settings),
        optimizer=partial(factory.build, settings.optimizer, "optimizer"),
        schedule=partial(factory.build, settings.schedule, "schedule"),
        sampling=factory.build(settings.sampling, "sampling"),
        seed=settings.seed,
    )
    if adapting.is_adapting(settings):
        module.rates = adapting.part_rates(settings, recognizer)
    return module
