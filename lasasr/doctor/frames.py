"""Encoded frames against tokens, for the encoder and tokenizer as chosen; no audio is read."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch

from lasasr.configuration.settings import Recognition
from lasasr.data import content
from lasasr.data.manifest import Utterances
from lasasr.data.tokens import Tokens
from lasasr.doctor.finding import Finding, Severity, about, overall
from lasasr.models import factory
from lasasr.models.recognizer import Recognizer
from lasasr.preparation import encodings
from lasasr.training.memory import memory_bytes

BYTES_OF_SAMPLE = 8  # float32, in blocks and put together
MOST_INFEASIBLE = 0.5  # of train: more, and CTC learns from a minority
NEGLIGIBLE = 0.005  # of a split: a few fast speakers or slips, which do no harm


def encoded_frames(utterances: Utterances, recognizer: Recognizer) -> torch.Tensor:
    """T' (N,) of every utterance, from its duration."""
    return recognizer.model.encoder.output_lengths(encodings.feature_frames(utterances, recognizer))


def too_long(split: str, utterances: Utterances, recognizer: Recognizer, settings: Recognition) -> list[Finding]:
    """Utterances that are longer than the encoder or the memory takes."""
    stretch = slowest_stretch(settings, split)
    return beyond(split, utterances, recognizer, stretch) + beyond_memory(split, utterances, recognizer)


def slowest_stretch(settings: Recognition, split: str) -> float:
    """How much longer than it is an utterance may become by `augment.waveform`."""
    changes = settings.augment.waveform if split in content.TRAINING else []
    drawn = (factory.build(part, "augment.waveform") for part in changes if factory.draws_few_forms([part]))
    slowest: float = math.prod(max(variant.stretch for variant in change.variants) for change in drawn)
    return slowest


def beyond(split: str, utterances: Utterances, recognizer: Recognizer, stretch: float = 1.0) -> list[Finding]:
    """Utterances that are longer than the encoder's positions reach.

    Args:
        stretch: how much longer they may become.
    """
    longest = recognizer.model.encoder.longest
    if longest is None:
        return []
    too_long = (encodings.feature_frames(utterances, recognizer, stretch) > longest).nonzero().flatten().tolist()
    limit_s = longest * recognizer.frontend.frame_shift_ms / 1000.0
    slowed = f", and augment.waveform makes utterances up to {stretch:.2f} times as long" if stretch > 1.0 else ""
    advice = f"the positions of these weights end at {limit_s:.0f} s{slowed}: cut the utterances, or leave them out"
    ids = [utterances.ids[index] for index in too_long]
    return about("longer than the encoder reaches", "error", split, ids, len(utterances), advice)


def beyond_memory(split: str, utterances: Utterances, recognizer: Recognizer) -> list[Finding]:
    """Utterances that are longer than `readable_s`."""
    longest_s = readable_s(recognizer)
    ids = [utterances.ids[index] for index in np.flatnonzero(utterances.durations_s > longest_s).tolist()]
    advice = (
        f"{utterances.durations_s.max():,.0f} s of audio in one piece are more than this machine can read: name parts "
        f"of it, as start_s and end_s do in tables"
    )
    return about("longer than memory", "error", split, ids, len(utterances), advice)


def readable_s(recognizer: Recognizer) -> float:
    """How long an utterance may be whose samples, as they are read and converted, take half of the memory."""
    machine = memory_bytes()
    return math.inf if machine is None else machine / 2 / (BYTES_OF_SAMPLE * recognizer.frontend.sample_rate_hz)


def encodings_kept(settings: Recognition, recognizer: Recognizer, splits: Mapping[str, Utterances]) -> Finding:
    """Whether what a frozen encoder gives is kept, and what that takes."""
    against = encodings.reason_against(settings)
    if against is not None:
        return overall("encodings", "note", f"not kept, so the frozen encoder runs in every epoch: {against}")
    kept = encodings.size(settings, recognizer, splits)
    advice = f"{kept.utterances} utterances are encoded once: {kept.bytes / 2**20:.0f} MiB in {kept.folder}"
    return overall("encodings", "note", advice)


def infeasible(split: str, utterances: Utterances, tokens: Tokens, recognizer: Recognizer) -> list[Finding]:
    """Utterances with T' < U + repeats: CTC has no path to their transcript (Graves et al. 2006, §3)."""
    frames = encoded_frames(utterances, recognizer)
    unfit = [utterances.ids[index] for index in (frames.numpy() < tokens.frames_needed()).nonzero()[0].tolist()]
    if not unfit:
        return []
    ctc = recognizer.model.ctc is not None
    share = len(unfit) / len(utterances)
    severity: Severity = "note" if share <= NEGLIGIBLE else "warning"
    if ctc and split == "train" and share > MOST_INFEASIBLE:
        severity = "error"
    factor = recognizer.model.encoder.subsampling_factor
    if not ctc:
        what = "fewer encoded frames than the decoder writes tokens"
    else:
        what = "CTC leaves them out of its loss" if split == "train" else "a search with CTC cannot find the reference"
    way = f"lower listen.subsampling_factor ({factor}), take a tokenizer with longer tokens, or look at these texts"
    return about("fewer frames than tokens", severity, split, unfit, len(utterances), f"{what}: {way}")
