"""Transcripts: characters the tokenizer does not know, and texts that do not fit the time they are spoken in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lasasr.data.manifest import Utterances
from lasasr.doctor.finding import Finding, Severity, about
from lasasr.errors import LasasrError
from lasasr.text.base import Tokenizer

Tokens = Mapping[int, list[int]]  # index of an utterance → its tokens; without those that cannot be encoded

OUTLYING = 6.0  # robust standard deviations
NARROWEST = 0.15  # of log tokens per second: a factor of 2.5 is never told, even in the most even of corpora


def encoded(split: str, utterances: Utterances, tokenizer: Tokenizer) -> tuple[Tokens, list[Finding]]:
    """The tokens of every utterance; a finding about those outside the vocabulary.

    In train they end the training; elsewhere they are decoded and scored, and count as errors.
    """
    tokens: dict[int, list[int]] = {}
    outside, example = [], ""
    for index, text in enumerate(utterances.texts):
        try:
            tokens[index] = tokenizer.encode(text)
        except LasasrError as error:
            outside.append(utterances.ids[index])
            example = example or str(error)
            if split != "train":
                tokens[index] = tokenizer.encode_inside(text)
    severity: Severity = "error" if split == "train" else "warning"
    advice = example if split == "train" else f"these count as errors: {example}"
    return tokens, about("outside the vocabulary", severity, split, outside, len(utterances), advice)


def rate_of_speech(split: str, utterances: Utterances, tokens: Tokens) -> list[Finding]:
    """Utterances whose tokens per second lie far from the split's median, in robust standard deviations of the log.

    The spread is 1.4826 · the median absolute deviation, which equals the standard deviation of a normal distribution
    and which outliers do not move (Rousseeuw & Croux 1993, §1).
    """
    indices = [index for index in tokens if tokens[index]]
    if not indices:
        return []
    counts = np.array([len(tokens[index]) for index in indices])
    rates = counts / utterances.durations_s[indices]
    distance = np.abs(np.log(rates) - np.median(np.log(rates)))
    spread = max(NARROWEST, 1.4826 * float(np.median(distance)))
    outlying = [(distance[i], rates[i], utterances.ids[index]) for i, index in enumerate(indices)]
    outlying = sorted((rate for rate in outlying if rate[0] > OUTLYING * spread), reverse=True)
    if not outlying:
        return []
    advice = (
        f"{outlying[0][1]:.3g} tokens per second where {np.median(rates):.3g} is usual: is it the transcript of this "
        "audio, and is the audio cut at the right times?"
    )
    return about("rate of speech", "warning", split, [name for _, _, name in outlying], len(utterances), advice)
