"""Word n-grams by interpolated modified Kneser-Ney smoothing (Chen & Goodman 1999), estimated from sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lasasr.lm.arpa_file import BEGIN, END, SPECIAL
from lasasr.lm.arpa_written import Ngrams, Order

FALLBACK: Final = (0.5, 1.0, 1.5)  # discounts, where there is too little text to estimate them; KenLM's, too
_QUOTED: Final = 60  # characters of a sentence that an error quotes


class Estimate(NamedTuple):
    """A model, and what it was made of."""

    ngrams: Ngrams
    sentences: int
    tokens: int  # words of the text
    guessed: list[int]  # lengths n whose discounts are `FALLBACK`


class _Types(NamedTuple):
    """The different n-grams of the text of one length; R of them, N places in the text."""

    at: NDArray[np.int64]  # (N,) which of them begins there, -1 where the sentence is too short
    counts: NDArray[np.int64]  # (R,)
    first: NDArray[np.int64]  # (R,) a place where it begins
    prefix: NDArray[np.int64]  # (R,) the first n - 1 words, among those of the order below
    suffix: NDArray[np.int64]  # (R,) the last n - 1


def estimate(sentences: Iterable[Sequence[str]], order: int, words: Iterable[str] = ()) -> Estimate:
    """n-grams of up to `order` words, or as many as the longest sentence has with its beginning and end.

    Each n-gram below the highest order counts in how many contexts it was seen (Kneser & Ney 1995), and what is taken
    from the seen goes to the order below; from the unigrams it goes to all words in equal parts, <unk> and `words` that
    the text lacks among them.

    Args:
        sentences: words of each.
        order: >= 1.
        words: that can occur, although the text may lack them.

    Raises:
        ValueError: `order` is below 1; there is no sentence with a word, or one holds <unk>, <s> or </s>.
    """
    if order < 1:
        raise ValueError(f"order must be at least 1, got {order}")
    ids = {word: number for number, word in enumerate(SPECIAL)}
    text, sentence_count = _numbered(sentences, ids)
    if not sentence_count:
        raise ValueError("there is no sentence with a word")
    for word in words:
        ids.setdefault(word, len(ids))
    types = _all_types(text, order, len(ids), ids[BEGIN])
    order = len(types)
    guessed: list[int] = []
    probabilities: list[NDArray[np.float64]] = []
    back_offs: list[NDArray[np.float64]] = []
    for n, ngrams in enumerate(types, start=1):
        counts = ngrams.counts if n == order else _contexts(types[n], ngrams, text, ids[BEGIN], n)
        discounts = _discounts(counts)
        if discounts is None:
            guessed.append(n)
            discounts = np.array((0.0, *FALLBACK))
        taken = discounts[np.minimum(counts, 3)]
        taken = np.minimum(taken, counts)
        if n == 1:
            lower = np.full(len(ids), 1.0 / (len(ids) - 1))  # <s> is no word that follows
            lower[ids[BEGIN]] = 0.0
            probabilities.append((counts - taken) / counts.sum() + taken.sum() / counts.sum() * lower)
            continue
        below = len(probabilities[-1])
        totals, left = (np.bincount(ngrams.prefix, part, below) for part in (counts, taken))
        weights = np.divide(left, totals, out=np.ones(below), where=totals > 0)
        share = (counts - taken) / totals[ngrams.prefix]
        probabilities.append(share + weights[ngrams.prefix] * probabilities[-1][ngrams.suffix])
        back_offs.append(weights)
    back_offs.append(np.ones(len(probabilities[-1])))
    grams = [np.arange(len(ids))[:, None], *(text[t.first[:, None] + np.arange(n)] for n, t in enumerate(types[1:], 2))]
    orders = [Order(*parts) for parts in zip(grams, probabilities, back_offs, strict=True)]
    return Estimate(Ngrams(list(ids), orders), sentence_count, len(text) - 2 * sentence_count, guessed)


def _numbered(sentences: Iterable[Sequence[str]], ids: dict[str, int]) -> tuple[NDArray[np.int64], int]:
    """All sentences with their beginnings and ends as one array; `ids` gets their words."""
    text: list[int] = []
    begin, end, count = ids[BEGIN], ids[END], 0
    for sentence in sentences:
        if special := {*SPECIAL}.intersection(sentence):
            raise ValueError(
                f"{min(special)} in {' '.join(sentence)[:_QUOTED]!r} stands for something else in n-grams; take it out"
            )
        if sentence:
            text.append(begin)
            text.extend(ids.setdefault(word, len(ids)) for word in sentence)
            text.append(end)
            count += 1
    return np.array(text, dtype=np.int64), count


def _all_types(text: NDArray[np.int64], order: int, vocabulary: int, begin: int) -> list[_Types]:
    sentence = np.cumsum(text == begin)
    every, places = np.arange(vocabulary), np.arange(len(text))
    counts = np.bincount(text, minlength=vocabulary)
    counts[begin] = 0
    types = [_Types(text, counts, every, every, every)]
    for n in range(2, order + 1):
        starts = places[: max(0, len(text) - n + 1)]
        starts = starts[sentence[starts] == sentence[starts + n - 1]]
        if not len(starts):
            break
        below = types[-1].at
        keys = below[starts] * vocabulary + text[starts + n - 1]
        _, first, inverse, counted = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        at = np.full(len(text), -1)
        at[starts] = inverse
        first = starts[first]
        types.append(_Types(at, counted, first, below[first], below[first + 1]))
    return types


def _contexts(above: _Types, ngrams: _Types, text: NDArray[np.int64], begin: int, n: int) -> NDArray[np.int64]:
    """(R,) the number of words seen before each n-gram; of one that begins a sentence, how often it was seen."""
    counts = np.bincount(above.suffix, minlength=len(ngrams.counts))
    if n > 1:
        opening = text[ngrams.first] == begin
        counts[opening] = ngrams.counts[opening]
    return counts


def _discounts(counts: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """What is taken from counts of 0, 1, 2, and 3 or more (equation 26 there); None: that cannot be estimated."""
    once, twice, thrice, four = (int((counts == c).sum()) for c in (1, 2, 3, 4))
    if not (once and twice and thrice):
        return None
    y = once / (once + 2 * twice)
    discounts = np.array((0.0, 1 - 2 * y * twice / once, 2 - 3 * y * thrice / twice, 3 - 4 * y * four / thrice))
    return discounts if (discounts[1:] > 0.0).all() and (discounts <= (0, 1, 2, 3)).all() else None
