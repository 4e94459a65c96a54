"""The confidence of words, fitted on a decoded split."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from lasasr.data.batch import Batch
from lasasr.errors import LasasrError
from lasasr.evaluation.outcome import Outcome
from lasasr.metrics import confidence
from lasasr.metrics.error_rates import align
from lasasr.models.recognizer import Recognizer
from lasasr.nn import shared_steps
from lasasr.search.confidence import FEATURES
from lasasr.text import transcript

FOLDS = 5


class Decoded(NamedTuple):
    """The words of the best hypotheses of a split."""

    features: list[list[dict[str, float]]]  # by utterance
    right: list[list[bool]]


def decode(recognizer: Recognizer, batches: Iterable[Batch]) -> Decoded:
    """Decode a split and tell which words of the best hypotheses are right."""
    scored = transcript.from_name(recognizer.normalizer).scored
    found = Decoded([], [])
    with shared_steps.loop():
        for batch in batches:
            acoustics = recognizer.eval().encode_waveforms(batch.waveforms, batch.waveform_lengths)
            nbests = recognizer.recognize(batch.waveforms, batch.waveform_lengths, batch.ids, acoustics=acoustics)
            for nbest, text, features in zip(
                nbests, batch.texts, recognizer.word_features(acoustics, nbests), strict=True
            ):
                right = right_words(scored(text), scored(nbest[0].text), recognizer)
                if len(right) == len(features):  # a rule that scores other words than those that are written
                    found.features.append(features)
                    found.right.append(right)
    return found


def right_words(reference: str, hypothesis: str, recognizer: Recognizer) -> list[bool]:
    """Which words of the hypothesis the reference has at their place."""
    pairs = align(reference, hypothesis, recognizer.error_metric)
    return [pair.correct for pair in pairs if pair.hypothesis is not None]


def fit(decoded: Decoded) -> confidence.Logistic:
    """The calibration of all words.

    Raises:
        LasasrError: all words are right, or none is.
    """
    rows = [[word[name] for name in FEATURES] for utterance in decoded.features for word in utterance]
    right = np.array([word for utterance in decoded.right for word in utterance], dtype=bool)
    try:
        return confidence.fit(FEATURES, np.array(rows), right)
    except ValueError as error:
        raise LasasrError(f"the confidence cannot be calibrated: {error}; decode more of dev") from None


def cross_validated(decoded: Decoded) -> tuple[list[float], list[bool]]:
    """The confidence of every word, by a calibration of the other utterances, and which of them are right."""
    confidences: list[float] = []
    right: list[bool] = []
    for fold in range(FOLDS):
        others = [i for i in range(len(decoded.right)) if i % FOLDS != fold]
        model = fit(Decoded([decoded.features[i] for i in others], [decoded.right[i] for i in others]))
        for i in range(fold, len(decoded.right), FOLDS):
            confidences += [model(word) for word in decoded.features[i]]
            right += decoded.right[i]
    return confidences, right


def of_outcomes(done: Sequence[Outcome], metric: Any) -> tuple[list[float], list[bool]]:
    """The confidence of the words of decoded utterances, and which are right; none where there is no confidence."""
    confidences: list[float] = []
    right: list[bool] = []
    for outcome in done:
        pairs = align(outcome.reference, outcome.best.text, metric)
        correct = [pair.correct for pair in pairs if pair.hypothesis is not None]
        values = [word.confidence for word in outcome.best.words if word.confidence is not None]
        if len(correct) == len(values):
            confidences += values
            right += correct
    return confidences, right
