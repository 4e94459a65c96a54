"""What tells how sure a recognizer is of each word: features that a calibration weighs (`metrics/confidence.py`)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from lasasr.metrics.alignment_reference import WORD_MARK
from lasasr.metrics.error_rates import align as align_words
from lasasr.search.alignment import align, fits
from lasasr.search.hypothesis import Hypothesis

FEATURES = ("decoder", "decoder_mean", "ctc", "sharpness", "posterior", "letters")
_LEAST = -20.0  # log; a token may be as improbable as it likes


def tokens_of_words(tokens: Sequence[int], names: Sequence[str], phones: bool) -> list[list[int]]:
    """The positions of each word's tokens, as `alignment_reference.word_times` puts them together."""
    if phones:
        return [[u] for u in range(len(tokens))]
    words: list[list[int]] = [[]]
    for u, token in enumerate(tokens):
        if names[token].startswith(WORD_MARK):
            words.append([])
        if names[token] != WORD_MARK:
            words[-1].append(u)
    return [word for word in words if word]


def word_features(
    nbest: Sequence[Hypothesis],
    names: Sequence[str],
    token_scores: Sequence[float] | None,
    weights: Tensor | None,
    ctc_log_probs: Tensor | None,
    phones: bool = False,
) -> list[dict[str, float]]:
    """FEATURES of each word of the best hypothesis; 0 where the model or the search has no such thing.

    decoder, decoder_mean: log p of its least probable token, and the mean, each after the tokens before it;
    ctc: log p of its least probable token at the best frame of its span; sharpness: minus the mean entropy of the
    attention; posterior: log of the share that readings with this word at this place have of the n best; letters: log
    of the number of its tokens.

    Args:
        nbest: the best first.
        names: printed name of every id.
        token_scores: U log probabilities by the decoder.
        weights: (U + 1, H, T) attention.
        ctc_log_probs: (T, V).
        phones: every token is a word of its own.
    """
    best = nbest[0]
    words = tokens_of_words(best.tokens, names, phones)
    ctc = _ctc_scores(best.tokens, ctc_log_probs)
    entropy = None if weights is None or not weights.numel() else _entropy(weights)
    shares = _posteriors(nbest, len(words))
    features = []
    for w, word in enumerate(words):
        scores = [0.0] if token_scores is None else [max(token_scores[u], _LEAST) for u in word]
        row = {
            "decoder": min(scores),
            "decoder_mean": sum(scores) / len(scores),
            "ctc": 0.0 if ctc is None else max(min(ctc[u] for u in word), _LEAST),
            "sharpness": 0.0 if entropy is None else -sum(entropy[u] for u in word) / len(word),
            "posterior": math.log(max(shares[w], 1e-4)),
            "letters": math.log(len(word)),
        }
        features.append(row)
    return features


def _ctc_scores(tokens: Sequence[int], ctc_log_probs: Tensor | None) -> list[float] | None:
    if ctc_log_probs is None or not tokens or not fits(tokens, len(ctc_log_probs)):
        return None
    spans = align(ctc_log_probs, tokens)
    return [float(ctc_log_probs[span.start : span.end, span.token].max()) for span in spans]


def _entropy(weights: Tensor) -> list[float]:
    """Of each row of weights (U + 1, H, T), heads averaged; in nats."""
    mean = weights.float().mean(1)
    entropies: list[float] = (-(mean * mean.clamp(min=1e-12).log()).sum(-1)).tolist()
    return entropies


def _posteriors(nbest: Sequence[Hypothesis], count: int) -> list[float]:
    """For each of `count` words of the best: the share of the n best, by their scores, that have it at its place."""
    best = nbest[0].text
    if len(best.split()) != count:
        return [1.0] * count
    shares = [0.0] * count
    total = sum(math.exp(reading.score - nbest[0].score) for reading in nbest)
    for reading in nbest:
        share = math.exp(reading.score - nbest[0].score) / total
        pairs = [pair for pair in align_words(reading.text, best, "wer") if pair.hypothesis is not None]
        for w, pair in enumerate(pairs):
            shares[w] += share * pair.correct
    return shares
