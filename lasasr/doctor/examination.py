"""The checks in their order: `glance` for `lasasr train`, `examine` for `lasasr doctor`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lasasr.configuration import identity
from lasasr.corpora.base import Progress
from lasasr.data import digests
from lasasr.data.manifest import UnusableError, Utterances, read_manifest
from lasasr.data.manifest_cache import MANIFESTS
from lasasr.doctor import audio, batches, frames, memory, names, splits, transcripts, updates
from lasasr.doctor.finding import Finding, about, overall
from lasasr.doctor.report import Report
from lasasr.doctor.transcripts import Tokens
from lasasr.errors import LasasrError, UsageError
from lasasr.models import factory
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import Prepared, folder_of, prepare
from lasasr.text import transcript
from lasasr.text.base import Tokenizer
from lasasr.text.transcript import TranscriptRule
from lasasr.training.fit import check_trainer
from lasasr.training.machine import precision

Splits = Mapping[str, Utterances]


def place(config: Mapping[str, Any]) -> Path:
    """Where the report of a configuration is written, unless told otherwise."""
    name = f"{config['recipe']}-{identity.whole_digest(config)}.json"
    return Path(config["prepared_dir"]) / "doctor" / name


def glance(config: Mapping[str, Any], prepared: Prepared, recognizer: Recognizer) -> list[Finding]:
    """What is found without reading audio: missing and shared splits, vocabulary, frames against tokens."""
    evaluated = config["evaluate"]["splits"]
    used = {
        split: prepared.utterances(split)
        for split in {"train": 0, "dev": 0, **dict.fromkeys(evaluated)}
        if split in prepared.manifests
    }
    found = splits.absent(prepared.manifests, evaluated)
    return found + _on_paper(used, recognizer, leaks=prepared.first_utterances is None)[0]


def examine(config: Mapping[str, Any], progress: Progress, listen: bool = True, ranks: int | None = None) -> Report:
    """Everything: the corpus as its manifests and files are, and the configuration on it.

    Args:
        config: as composed.
        progress: called while audio is read.
        listen: read the audio, and measure the memory of the worst batch.
        ranks: of the run that is planned; None: as configured.

    Raises:
        UsageError: the configuration itself is wrong.
    """
    if "listen" not in config:
        raise UsageError(f"{config['recipe']} trains no recognizer: doctor examines recipes of speech")
    precision(config)
    check_trainer(config["trainer"])
    try:
        read, found, tokenizer = _read(config, progress)
    except UsageError:
        raise
    except LasasrError as error:
        return Report(config["recipe"], [overall("preparation", "error", str(error))])
    facts: dict[str, Any] = {"splits": {split: _size(one) for split, one in read.items()}}
    facts["durations_s"] = {split: batches.histogram(one) for split, one in read.items()}
    recognizer = Recognizer.build(config, tokenizer, "")
    found += splits.absent(read, config["evaluate"]["splits"])
    on_paper, tokens = _on_paper(read, recognizer, leaks=config["debug"]["overfit_utterances"] is None)
    found += on_paper
    found += [one for split in read for one in transcripts.rate_of_speech(split, read[split], tokens[split])]
    if listen:
        found += splits.copies(read) if config["debug"]["overfit_utterances"] is None else []
        for split, utterances in read.items():
            found += audio.audio(split, utterances, recognizer.frontend.sample_rate_hz, progress)
    found += _trained(config, read["train"], tokens["train"], ranks or updates.ranks(config), listen, facts, found)
    return Report(config["recipe"], found, facts)


def _read(config: Mapping[str, Any], progress: Progress) -> tuple[dict[str, Utterances], list[Finding], Tokenizer]:
    """The usable utterances of every split, findings about the others, and the tokenizer of this corpus."""
    corpus = factory.corpus(config)
    corpus.fetch(progress)
    rule = transcript.rule(corpus.transcript)
    read: dict[str, Utterances] = {}
    found: list[Finding] = []
    for split, manifest in corpus.prepare(folder_of(corpus, config), progress).items():
        unusable: list[UnusableError] = []
        read[split] = _usable(manifest, rule, unusable)
        digests.record(manifest, read[split].cuts, progress)
        for kind in dict.fromkeys(one.kind for one in unusable):
            those = [one for one in unusable if one.kind == kind]
            of = len(read[split]) + len(unusable)
            found += about(kind, "error", split, [one.id for one in those], of, str(those[0]))
    unread = names.unread(corpus)
    if found:  # prepare would stop at the first of them
        return read, found + unread, factory.train_tokenizer(config, read["train"].texts)
    prepared = prepare(config, progress)
    return {split: prepared.utterances(split) for split in prepared.manifests}, unread, prepared.tokenizer


def _usable(manifest: Path, rule: TranscriptRule, unusable: list[UnusableError]) -> Utterances:
    """The usable utterances of a manifest; `unusable` takes what is wrong with the others."""
    try:
        return MANIFESTS.read(manifest, rule)  # which training reads, too
    except UnusableError:
        return read_manifest(manifest, rule, unusable)


def _on_paper(read: Splits, recognizer: Recognizer, leaks: bool) -> tuple[list[Finding], dict[str, Tokens]]:
    """What texts, durations and ids tell."""
    found = splits.shared(read) if leaks else []
    tokens = {}
    for split, utterances in read.items():
        tokens[split], outside = transcripts.encoded(split, utterances, recognizer.tokenizer)
        found += (
            outside
            + names.confusable(split, utterances)
            + frames.infeasible(split, utterances, tokens[split], recognizer)
        )
    return found, tokens


def _trained(
    config: Mapping[str, Any],
    train: Utterances,
    tokens: Tokens,
    ranks: int,
    listen: bool,
    facts: dict[str, Any],
    before: list[Finding],
) -> list[Finding]:
    """Batches, updates and memory of training."""
    try:
        sampler = batches.sampler(train, config, ranks)
    except UsageError:
        raise
    except LasasrError as error:
        return [overall("batches", "error", str(error))]
    made = batches.batches(train, tokens, sampler, batches.stretch(config))
    facts["batches"] = {
        "ranks": ranks,
        "per_rank_and_epoch": made.per_rank,
        "audio_s": round(made.audio_s, 3),
        "padding_share": round(made.padding, 4),
        "worst": [one._asdict() for one in made.worst],
        "updates": updates.total(sampler, config),
    }
    found = batches.padding(made) + updates.advice(sampler, made, config, ranks)
    if listen and not any(one.severity == "error" for one in before):
        found += _probed(config, made.worst, facts)
    return found


def _probed(config: Mapping[str, Any], worst: Sequence[batches.Shape], facts: dict[str, Any]) -> list[Finding]:
    try:
        cost = memory.probe(config, worst)
    except LasasrError as error:
        return [overall("memory", "error", str(error))]
    if cost is not None:
        facts["memory"] = {"device": cost.device, "peak_mib": round(cost.peak_bytes / 2**20)}
    return memory.told(cost, worst)


def _size(utterances: Utterances) -> dict[str, float]:
    hours = float(utterances.durations_s.sum()) / 3600
    return {"utterances": len(utterances), "speakers": len(set(utterances.speakers)), "hours": round(hours, 4)}
