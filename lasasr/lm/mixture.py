"""Word n-gram models mixed into one: p(word | words before) = Σ weight · p of each model (Jelinek & Mercer 1980)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lasasr.lm.arpa import BackOffModel
from lasasr.lm.arpa_file import BEGIN, SPECIAL
from lasasr.lm.arpa_written import Ngrams, Order

_LEAST: Final = 1e-12  # of probability that is left for words that were not seen: files are rounded to 7 digits
_STEPS: Final = 1000
_CONVERGED: Final = 1e-9  # change of a weight


def fitted_weights(models: Sequence[BackOffModel], sentences: Iterable[Sequence[str]]) -> NDArray[np.float64]:
    """The weights with which a mixture gives a text its highest probability, by expectation maximization.

    The likelihood has one maximum (it is concave in the weights). A word that a model lacks has the probability 0
    there, but a word that all of them lack is <unk> in each.

    Args:
        models: M >= 1 of them.
        sentences: words of each.

    Returns:
        (M,), >= 0, of sum 1.

    Raises:
        ValueError: there is no sentence.
    """
    rows = [row for sentence in sentences for row in _probabilities(models, sentence)]
    if not rows:
        raise ValueError("there is no sentence")
    likelihoods = np.array(rows)
    weights = np.full(len(models), 1.0 / len(models))
    for _ in range(_STEPS):
        shares = likelihoods * weights
        updated = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
        done = np.abs(updated - weights).max() < _CONVERGED
        weights = updated
        if done:
            break
    return weights


def _probabilities(models: Sequence[BackOffModel], sentence: Sequence[str]) -> list[list[float]]:
    """p of each word and of the end by each model."""
    contexts = [model.begin() for model in models]
    rows = []
    for word in sentence:
        nowhere = not any(model.has(word) for model in models)
        row = []
        for m, model in enumerate(models):
            nats, contexts[m] = model.word(contexts[m], word)
            row.append(float(np.exp(nats)) if nowhere or model.has(word) else 0.0)
        rows.append(row)
    rows.append([float(np.exp(model.end(context))) for model, context in zip(models, contexts, strict=True)])
    return rows


def mixed(models: Sequence[BackOffModel], weights: Sequence[float] | NDArray[np.float64]) -> Ngrams:
    """One back-off model with all n-grams of the models.

    Each of these n-grams has exactly the mixed probability. What no model has seen after a context gets the probability
    of a shorter context, times a back-off weight that makes all of them sum to 1 (Stolcke 2002, "SRILM - an extensible
    language modeling toolkit", calls it static interpolation). The vocabulary is that of all models together; a word
    that a model lacks has the probability 0 there, and as context it is <unk> there.

    Args:
        models: M of them.
        weights: (M,), >= 0, of sum 1.
    """
    words = sorted({word for model in models for word in model.words})
    vocabulary = [*words, *SPECIAL]
    place = {word: number for number, word in enumerate(vocabulary)}
    to_common = [np.array([place[word] for word in (*model.words, *SPECIAL)]) for model in models]
    to_own = [np.full(len(vocabulary), -1) for _ in models]
    for own, common in zip(to_own, to_common, strict=True):
        own[common] = np.arange(len(common))

    grams = _closed(
        [
            [common[model.ngrams(n)] for model, common in zip(models, to_common, strict=True)]
            for n in range(2, 1 + max(model.order for model in models))
        ]
    )
    grams = [np.arange(len(vocabulary))[:, None], *grams]
    keys: list[NDArray[np.int64]] = []  # of n = 2, 3, ...: sorted, as the rows are
    orders: list[Order] = []
    for n, rows in enumerate(grams, start=1):
        probability = np.zeros(len(rows))
        for model, own, weight in zip(models, to_own, weights, strict=True):
            probability += weight * _mixed_in(model, own[rows])
        back_off = np.ones(len(rows))
        if n == 1:
            orders.append(Order(rows, probability, back_off))
            continue
        contexts = _places(rows[:, :-1], keys, len(vocabulary))
        keys.append(contexts * len(vocabulary) + rows[:, -1])
        below = orders[-1]
        shorter = below.probability[_places(rows[:, 1:], keys, len(vocabulary))]
        left, left_below = (
            np.maximum(1.0 - np.bincount(contexts, part, len(below.words)), _LEAST) for part in (probability, shorter)
        )
        below.back_off[:] = left / left_below  # 1 after contexts that nothing follows
        orders.append(Order(rows, probability, back_off))
    orders[0].probability[place[BEGIN]] = 0.0  # no word that follows
    return Ngrams(vocabulary, orders)


def _mixed_in(model: BackOffModel, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """p (R,) of the last word of each row of the model's own ids (R, n), -1 for a word that it lacks."""
    rows = rows[:, -model.order :]
    lacking = rows[:, -1] < 0
    probability = np.exp(model.ngram_nats(np.where(rows < 0, model.size, rows)))
    return np.where(lacking, 0.0, probability)


def _closed(grams: Sequence[Sequence[NDArray[np.int64]]]) -> list[NDArray[np.int64]]:
    """All n-grams of all models, for n = 2, 3, ...; sorted, and with each its first and its last n - 1 words.

    Pruned files lack some of the latter, and back-off weights need their probabilities.
    """
    closed: list[NDArray[np.int64]] = []
    for of_models in reversed(grams):
        longer = (closed[0][:, :-1], closed[0][:, 1:]) if closed else ()
        rows = np.concatenate((*of_models, *longer))
        rows = rows[np.lexsort(rows.T[::-1])]
        differs = np.ones(len(rows), bool)
        differs[1:] = (rows[1:] != rows[:-1]).any(axis=1)
        closed.insert(0, rows[differs])
    return closed


def _places(rows: NDArray[np.int64], keys: Sequence[NDArray[np.int64]], size: int) -> NDArray[np.int64]:
    """(R,) where each of `rows` (R, n) stands among the n-grams of its length; all of them are there."""
    places: NDArray[np.int64] = rows[:, 0]
    for n in range(2, rows.shape[1] + 1):
        places = np.searchsorted(keys[n - 2], places * size + rows[:, n - 1])
    return places
