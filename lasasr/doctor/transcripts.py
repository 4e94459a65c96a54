"""Transcripts: characters the tokenizer does not know, and texts that do not fit the time they are spoken in."""

from __future__ import annotations

import numpy as np

from lasasr.data.manifest import Utterances
from lasasr.data.tokens import Tokens
from lasasr.doctor.finding import Finding, Severity, about
from lasasr.errors import LasasrError
from lasasr.text.base import Tokenizer

OUTLYING = 6.0  # robust standard deviations
NARROWEST = 0.15  # of log tokens per second: a factor of 2.5 is never told, even in the most even of corpora
MOST_PER_S = 100.0  # tokens: one per frame of features; the fastest speech has 30 characters
LEAST_S = 1.0  # shorter audio counts as so much
_TRAINED_WITH = ("train", "dev")  # other splits are decoded, which does not depend on their texts


def outside_vocabulary(split: str, utterances: Utterances, tokens: Tokens, tokenizer: Tokenizer) -> list[Finding]:
    """Utterances that hold what is outside the vocabulary.

    In train they end the training; elsewhere they are decoded and scored, and count as errors.
    """
    indices = tokens.outside.nonzero()[0].tolist()
    if not indices:
        return []
    example = ""
    try:
        tokenizer.encode(utterances.texts[indices[0]])
    except LasasrError as error:
        example = str(error)
    severity: Severity = "error" if split == "train" else "warning"
    advice = example if split == "train" else f"these count as errors: {example}"
    outside = [utterances.ids[index] for index in indices]
    return about("outside the vocabulary", severity, split, outside, len(utterances), advice)


def impossible(split: str, utterances: Utterances, tokens: Tokens) -> list[Finding]:
    """Utterances that nobody can have spoken in their time.

    The time and memory of an update follow the longest text in it: one of 5,000 words takes minutes.
    """
    most = MOST_PER_S * np.maximum(LEAST_S, utterances.durations_s)
    indices = (tokens.counts > most).nonzero()[0].tolist()
    if not indices:
        return []
    first = indices[0]
    severity: Severity = "error" if split in _TRAINED_WITH else "warning"
    advice = (
        f"{tokens.counts[first]} tokens in {utterances.durations_s[first]:.3g} s, and more than {MOST_PER_S:.0f} per "
        "second are never spoken: correct these texts or times, or take the utterances out"
    )
    named = [utterances.ids[index] for index in indices]
    return about("text longer than speech", severity, split, named, len(utterances), advice)


def rate_of_speech(split: str, utterances: Utterances, tokens: Tokens) -> list[Finding]:
    """Utterances whose tokens per second lie far from the split's median, in robust standard deviations of the log.

    The spread is 1.4826 · the median absolute deviation, which equals the standard deviation of a normal distribution
    and which outliers do not move (Rousseeuw & Croux 1993, §1).
    """
    indices = (tokens.counts > 0).nonzero()[0]
    if not len(indices):
        return []
    rates = tokens.counts[indices] / utterances.durations_s[indices]
    distance = np.abs(np.log(rates) - np.median(np.log(rates)))
    spread = max(NARROWEST, 1.4826 * float(np.median(distance)))
    far = (distance > OUTLYING * spread).nonzero()[0].tolist()
    outlying = sorted(((distance[i], rates[i], utterances.ids[int(indices[i])]) for i in far), reverse=True)
    if not outlying:
        return []
    advice = (
        f"{outlying[0][1]:.3g} tokens per second where {np.median(rates):.3g} is usual: is it the transcript of this "
        "audio, and is the audio cut at the right times?"
    )
    return about("rate of speech", "warning", split, [name for _, _, name in outlying], len(utterances), advice)
