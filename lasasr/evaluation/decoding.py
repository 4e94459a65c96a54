"""Decoding a split under one search or several: every batch is encoded once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lasasr.configuration.settings import Recognition
from lasasr.corpora.base import Progress
from lasasr.data.batch import Batch
from lasasr.data.times import read_times
from lasasr.distributed.ranks import Ranks
from lasasr.evaluation.faults import gap_s, reference_scores
from lasasr.evaluation.outcome import Outcome, as_timed, outcomes
from lasasr.metrics.alignment_reference import TimedLabel
from lasasr.metrics.triage import flags, verdict
from lasasr.models.recognizer import Recognizer
from lasasr.nn import shared_steps
from lasasr.preparation import encodings
from lasasr.preparation.speech import ALONE, Prepared
from lasasr.search.acoustics import Acoustics

Decoded = tuple[list[Outcome], float]  # by id, and the seconds it took


def decode_split(
    recognizers: Sequence[Recognizer],
    prepared: Prepared,
    split: str,
    settings: Recognition,
    progress: Progress,
    ranks: Ranks = ALONE,
) -> list[Decoded]:
    """Decode a split under each search, as `settings` say; every utterance on one rank, and all known to all."""
    first, options = recognizers[0], settings.evaluate
    kept = None
    if encodings.reason_against(settings) is None:
        kept = encodings.keep(settings, first, prepared, split, progress, str(next(first.parameters()).device))
    batches = prepared.batches(split, first.frontend.sample_rate_hz, options.batch_s, ranks, kept)
    known = read_times(prepared.manifests[split], first.tokenizer.unit, prepared.rule)
    timed = {name: tuple(TimedLabel(*label) for label in times) for name, times in known.items()}
    counted = _counted(batches, f"decoding {split}", progress)
    shares = ranks.gather(decode_all(recognizers, counted, timed, options.score_references))
    return [_joined([share[i] for share in shares]) for i in range(len(recognizers))]


def _joined(shares: Sequence[Decoded]) -> Decoded:
    """What all ranks found, by id; it took as long as the slowest."""
    done = [outcome for outcomes, _ in shares for outcome in outcomes]
    return sorted(done, key=lambda outcome: outcome.id), max(seconds for _, seconds in shares)


def _counted(batches: Any, task: str, progress: Progress) -> Iterable[Batch]:
    for finished, batch in enumerate(batches, start=1):
        yield batch
        progress(task, finished, len(batches))


def decode(
    recognizer: Recognizer, batches: Iterable[Batch], spoken_times: Mapping[str, tuple[TimedLabel, ...]]
) -> Decoded:
    """`decode_all` of one recognizer."""
    (decoded,) = decode_all([recognizer], batches, spoken_times)
    return decoded


def decode_all(
    recognizers: Sequence[Recognizer],
    batches: Iterable[Batch],
    spoken_times: Mapping[str, tuple[TimedLabel, ...]],
    score_references: bool = True,
) -> list[Decoded]:
    """Decode every batch under the search of each recognizer; one model, whose encoder runs once.

    The seconds of each are those of the encoder and its search; loading audio and what serves the triage (aligning and
    scoring references) are not counted.

    Args:
        recognizers: that differ in their search only.
        spoken_times: utterance id → when the words or phones of its reference were said.
        score_references: tell the model's errors from the search's, by scoring the references of wrong hypotheses.
    """
    done: list[list[Outcome]] = [[] for _ in recognizers]
    seconds = [0.0] * len(recognizers)
    for recognizer in recognizers:
        recognizer.eval()
    with shared_steps.loop():
        for batch in batches:
            start = time.perf_counter()
            acoustics = recognizers[0].encode_waveforms(batch.waveforms, batch.waveform_lengths, batch.kept)
            encoding_s = time.perf_counter() - start
            for i, recognizer in enumerate(recognizers):
                start = time.perf_counter()
                decoded = outcomes(recognizer, batch, timestamps=True, acoustics=acoustics)
                seconds[i] += encoding_s + time.perf_counter() - start
                decoded = _with_spoken(recognizer, batch, decoded, spoken_times, acoustics)
                done[i].extend(_with_flags(recognizer, batch, decoded, acoustics, score_references))
    ordered = [sorted(unordered, key=lambda outcome: outcome.id) for unordered in done]
    return list(zip(ordered, seconds, strict=True))


def _with_spoken(
    recognizer: Recognizer,
    batch: Batch,
    decoded: Sequence[Outcome],
    spoken_times: Mapping[str, tuple[TimedLabel, ...]],
    acoustics: Acoustics,
) -> list[Outcome]:
    """Add when the references were said: as the corpus knows or, where it knows it of no utterance, by CTC."""
    if spoken_times:
        return [
            replace(outcome, spoken=spoken_times[outcome.id], spoken_by="corpus")
            if outcome.id in spoken_times
            else outcome
            for outcome in decoded
        ]
    if recognizer.model.ctc is None:
        return list(decoded)
    # a reference with characters that CTC cannot write has no times
    texts = ["" if recognizer.tokenizer.outside(text) else text for text in batch.texts]
    aligned = recognizer.align_batch(batch.waveforms, batch.waveform_lengths, texts, acoustics)
    return [
        replace(outcome, spoken=as_timed(words or ()), spoken_by="ctc")
        for outcome, words in zip(decoded, aligned, strict=True)
    ]


def _with_flags(
    recognizer: Recognizer, batch: Batch, decoded: Sequence[Outcome], acoustics: Acoustics, score_references: bool
) -> list[Outcome]:
    """Add what is wrong with the hypotheses and, where asked for, whose error it is."""
    wrong = [score_references and bool(outcome.counts.errors) for outcome in decoded]
    scores = reference_scores(recognizer, acoustics, batch.texts, wrong)
    flagged = []
    for outcome, score in zip(decoded, scores, strict=True):
        gap = gap_s(outcome.best.weights, recognizer.encoded_frame_s)
        faults = flags(outcome.reference, outcome.best.text, recognizer.error_metric, outcome.best.flags, gap)
        whose = verdict(outcome.best.score, score)
        flagged.append(replace(outcome, flags=(*faults, whose) if whose else faults, reference_score=score))
    return flagged
