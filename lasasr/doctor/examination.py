"""The checks in their order: `quick_check` for `lasasr train`, `full_check` for `lasasr doctor`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lasasr.configuration import identity
from lasasr.configuration.settings import Recognition
from lasasr.corpora.audio_faults import AudioFaultsError, skipped
from lasasr.corpora.base import Corpus, Progress
from lasasr.data import digests
from lasasr.data.content import REPLAY
from lasasr.data.manifest import UnusableError, Utterances, read_manifest
from lasasr.data.manifest_cache import MANIFESTS
from lasasr.data.tokens import Tokens, encode
from lasasr.distributed import launch
from lasasr.doctor import audio, batches, frames, memory, names, paper, splits, transcripts, updates
from lasasr.doctor.finding import Finding, about, overall
from lasasr.doctor.report import Report
from lasasr.errors import LasasrError, UsageError
from lasasr.models import factory
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import Prepared, folder_of, prepare
from lasasr.text import transcript
from lasasr.text.base import Tokenizer
from lasasr.text.transcript import TranscriptRule
from lasasr.training.adapting import beginning
from lasasr.training.fit import check_trainer
from lasasr.training.machine import precision

Splits = Mapping[str, Utterances]


def report_path(settings: Recognition) -> Path:
    """Where the report of a configuration is written, unless told otherwise."""
    name = f"{settings.recipe}-{identity.whole_digest(settings.plain)}.json"
    return Path(settings.prepared_dir) / "doctor" / name


def quick_check(settings: Recognition, prepared: Prepared, recognizer: Recognizer) -> list[Finding]:
    """What is found without reading audio: missing and shared splits, vocabulary, frames against tokens."""
    evaluated = settings.evaluate.splits
    used = {
        split: prepared.utterances(split)
        for split in dict.fromkeys(("train", "dev", *prepared.others, *evaluated))
        if split in prepared.manifests
    }
    findings = splits.absent(prepared.manifests, evaluated)
    findings += [finding for split in used for finding in frames.too_long(split, used[split], recognizer, settings)]
    findings += paper.of_prepared(prepared, {split: used[split] for split in used if split not in prepared.others})
    return findings + _against_tokens(used, {split: prepared.tokens(split) for split in used}, recognizer)


def warn_or_refuse(settings: Recognition, prepared: Prepared, recognizer: Recognizer) -> None:
    """`quick_check` as `lasasr train` runs it: one line per warning, on the first rank.

    Raises:
        LasasrError: there is an error.
    """
    findings = quick_check(settings, prepared, recognizer)
    for finding in findings:
        if finding.severity == "warning":
            launch.say(f"warning: {finding.line()}")
    errors = [finding.line() for finding in findings if finding.severity == "error"]
    if errors:
        more = f"; and {len(errors) - 1} more" if len(errors) > 1 else ""
        raise LasasrError(f"{errors[0]}{more} (lasasr doctor {settings.recipe} with the same overrides lists all)")


def full_check(settings: Recognition, progress: Progress, listen: bool = True, ranks: int | None = None) -> Report:
    """Everything: the corpus as its manifests and files are, and the configuration on it.

    Args:
        settings: of the planned run.
        progress: called while audio is read.
        listen: read the audio, and measure the memory of the worst batch.
        ranks: of the run that is planned; None: as configured.

    Raises:
        UsageError: the configuration itself is wrong.
    """
    precision(settings)
    check_trainer(settings.trainer)
    try:
        read, findings, tokenizer, tokens = _read(settings, progress)
    except UsageError:
        raise
    except LasasrError as error:
        return Report(settings.recipe, [overall("preparation", "error", str(error))])
    facts: dict[str, Any] = {"splits": {split: _size(utterances) for split, utterances in read.items()}}
    facts["durations_s"] = {split: batches.histogram(utterances) for split, utterances in read.items()}
    recognizer = beginning(settings, tokenizer, "")
    findings += splits.absent(read, settings.evaluate.splits)
    if recognizer.is_staged:
        findings.append(frames.encodings_kept(settings, recognizer, read))
    findings += [finding for split in read for finding in frames.too_long(split, read[split], recognizer, settings)]
    first_corpus = {split: utterances for split, utterances in read.items() if split != REPLAY}
    findings += paper.on_paper(first_corpus, leaks=settings.debug.overfit_utterances is None)
    findings += _against_tokens(read, tokens, recognizer)
    findings += [finding for split in read for finding in transcripts.rate_of_speech(split, read[split], tokens[split])]
    if settings.debug.overfit_utterances is None and not settings.warm_start.run:
        findings += splits.too_little(read["train"])
    if listen:
        findings += splits.copies(first_corpus) if settings.debug.overfit_utterances is None else []
        longest_s = frames.readable_s(recognizer)
        for split, utterances in read.items():
            findings += audio.audio(split, utterances, recognizer.frontend.sample_rate_hz, progress, longest_s)
    findings += _trained(settings, read, tokens["train"], ranks or updates.ranks(settings), listen, facts, findings)
    return Report(settings.recipe, findings, facts)


def _read(
    settings: Recognition, progress: Progress
) -> tuple[dict[str, Utterances], list[Finding], Tokenizer, dict[str, Tokens]]:
    """The usable utterances of every split, findings about the others, the tokenizer of this corpus, and tokens."""
    corpus = factory.corpus(settings.corpus)
    corpus.fetch(progress)
    rule = transcript.rule(corpus.transcript)
    read: dict[str, Utterances] = {}
    findings: list[Finding] = []
    refused, manifests = _manifests(corpus, settings, progress)
    for split, manifest in manifests.items():
        unusable: list[UnusableError] = []
        read[split] = _usable(manifest, rule, unusable)
        digests.record(manifest, read[split].cuts, progress)
        findings += _left_out(split, skipped(manifest), len(read[split]), refused)
        for kind in dict.fromkeys(fault.kind for fault in unusable):
            of_kind = [fault for fault in unusable if fault.kind == kind]
            of = len(read[split]) + len(unusable)
            findings += about(kind, "error", split, [fault.id for fault in of_kind], of, str(of_kind[0]))
    unread = names.unread(corpus)
    if any(finding.severity == "error" for finding in findings):  # prepare would stop at the first of them
        tokenizer = factory.train_tokenizer(settings.tokenizer, read["train"].texts)
        return read, findings + unread, tokenizer, {split: encode(read[split].texts, tokenizer) for split in read}
    prepared = prepare(settings, progress)
    read = {split: prepared.utterances(split) for split in prepared.manifests}
    return read, findings + unread, prepared.tokenizer, {split: prepared.tokens(split) for split in read}


def _manifests(corpus: Corpus, settings: Recognition, progress: Progress) -> tuple[bool, Mapping[str, Path]]:
    """Whether preparation refuses some audio, and the manifests: in that case, of what is left without it."""
    try:
        return False, corpus.prepare(folder_of(corpus, settings), progress)
    except AudioFaultsError:
        if settings.corpus.get("skip_unreadable") is not False:  # true already, or unknown to this corpus
            raise
    skipping = factory.corpus({**settings.corpus, "skip_unreadable": True})
    return True, skipping.prepare(folder_of(skipping, settings), progress)


def _left_out(split: str, faults: Mapping[str, str], utterances: int, refused: bool) -> list[Finding]:
    """What preparation says of audio that it cannot use."""
    advice = f"{next(iter(faults.values()))}; " if faults else ""
    advice += "repair it, or leave it out: corpus.skip_unreadable=true" if refused else "left out of the split"
    return about(
        "unreadable" if refused else "audio left out",
        "error" if refused else "warning",
        split,
        faults,
        utterances + len(faults),
        advice,
    )


def _usable(manifest: Path, rule: TranscriptRule, unusable: list[UnusableError]) -> Utterances:
    """The usable utterances of a manifest; `unusable` takes what is wrong with the others."""
    try:
        return MANIFESTS.read(manifest, rule)  # which training reads, too
    except UnusableError:
        return read_manifest(manifest, rule, unusable)


def _against_tokens(read: Splits, tokens: Mapping[str, Tokens], recognizer: Recognizer) -> list[Finding]:
    """What texts tell beside the vocabulary and the durations."""
    findings: list[Finding] = []
    for split, utterances in read.items():
        findings += transcripts.outside_vocabulary(split, utterances, tokens[split], recognizer.tokenizer)
        findings += frames.infeasible(split, utterances, tokens[split], recognizer)
        findings += transcripts.impossible(split, utterances, tokens[split])
    return findings


def _trained(
    settings: Recognition,
    read: Splits,
    tokens: Tokens,
    ranks: int,
    listen: bool,
    facts: dict[str, Any],
    before: list[Finding],
) -> list[Finding]:
    """Batches, updates and memory of training."""
    try:
        sampler = batches.sampler(read["train"], settings, ranks, read.get(REPLAY))
    except UsageError:
        raise
    except LasasrError as error:
        return [overall("batches", "error", str(error))]
    plan = batches.batches(read["train"], tokens, sampler, batches.stretch(settings), read.get(REPLAY))
    facts["batches"] = {
        "ranks": ranks,
        "per_rank_and_epoch": plan.per_rank,
        "audio_s": round(plan.audio_s, 3),
        "padding_share": round(plan.padding, 4),
        "worst": [shape._asdict() for shape in plan.worst],
        "updates": updates.total(sampler, settings),
    }
    findings = batches.padding(plan) + updates.advice(sampler, plan, settings, ranks)
    if listen and not any(finding.severity == "error" for finding in before):
        findings += _probed(settings, plan.worst, facts)
    return findings


def _probed(settings: Recognition, worst: Sequence[batches.Shape], facts: dict[str, Any]) -> list[Finding]:
    try:
        cost = memory.probe(settings, worst)
    except LasasrError as error:
        return [overall("memory", "error", str(error))]
    if cost is not None:
        facts["memory"] = {"device": cost.device, "peak_mib": round(cost.peak_bytes / 2**20)}
    return memory.findings(cost, worst)


def _size(utterances: Utterances) -> dict[str, float]:
    hours = float(utterances.durations_s.sum()) / 3600
    return {"utterances": len(utterances), "speakers": len(set(utterances.speakers)), "hours": round(hours, 4)}
