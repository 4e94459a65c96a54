"""Word n-grams of an ARPA file, which also tell how probable all words with a common beginning are together."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lasasr.errors import LasasrError
from lasasr.lm.arpa_file import BEGIN, END, NEVER, SPECIAL, Grams, read

_LAST = chr(0x10FFFF)  # behind every character that a word may go on with
_REMEMBERED: Final = 1 << 14  # contexts

Context = tuple[int, ...]  # the ids of the last words, the oldest first


class _Order(NamedTuple):
    """All n-grams of one length, as children of their first n - 1 words; R rows, sorted by parent, then by word."""

    first: NDArray[np.int64]  # (rows of the order below + 1,), the first child of each of them
    words: NDArray[np.int64]  # (R,) the last word
    nats: NDArray[np.float64]  # (R,) log p(last word | the words before)
    back_off: NDArray[np.float64]  # (R,) log, 0 where the file has none
    lower: NDArray[np.float64]  # (R,) p(last word | the words before but the first): what backing off would give


class _Suffix(NamedTuple):
    """What one more word of context changes: the words that were seen after it, and the weight of all others."""

    words: NDArray[np.int64]  # (S,) sorted
    seen: NDArray[np.float64]  # (S + 1,) sums of their probabilities
    lower: NDArray[np.float64]  # (S + 1,) sums of what they would have with a word less of context
    back_off: float  # a factor


class BackOffModel:
    """Word n-grams with back-off (Katz 1987), from the text format that SRILM, KenLM and others write.

    Where the file has THE but not the (LibriSpeech's n-grams are so), its words are made lower-case. <UNK> is taken for
    <unk>.

    Args:
        path: ARPA, plain or gzip.

    Raises:
        LasasrError: it is damaged, names the file and the line; or n-grams lack their beginnings.
    """

    def __init__(self, path: Path) -> None:
        grams = read(path)
        self.words, ids = _numbered(path, grams[0].words)
        self.size = len(self.words)  # words without the three special ones; ids below it are words
        self._id_of = {word: number for number, word in enumerate((*self.words, *SPECIAL))}
        self._unigram_nats = np.full(len(self._id_of), NEVER)
        self._unigram_nats[ids] = grams[0].nats
        self._unigram_back_off = np.zeros(len(self._id_of))
        self._unigram_back_off[ids] = grams[0].back_off
        self._unigram_sums = _sums(np.exp(self._unigram_nats[: self.size]))
        self._orders: list[_Order] = []
        for n, counted in enumerate(grams[1:], start=2):
            self._orders.append(self._order(path, n, ids[np.frombuffer(counted.ids, np.int64).reshape(-1, n)], counted))
        self.order = 1 + len(self._orders)  # words of the longest n-grams
        self._context = lru_cache(_REMEMBERED)(self._suffixes)

    def begin(self) -> Context:
        """The context at the beginning of a sentence."""
        return self._shortened((self._id_of[BEGIN],))

    def word(self, context: Context, word: str) -> tuple[float, Context]:
        """log p(word | context) in nats, that of <unk> for a word that the file lacks; and the context after it."""
        number = self._id_of.get(word, self.size)
        return self._nats(context, number), self._shortened((*context, number))

    def end(self, context: Context) -> float:
        """log p(end of sentence | context) in nats."""
        return self._nats(context, self._id_of[END])

    def has(self, word: str) -> bool:
        """Whether the file has it."""
        return self._id_of.get(word, self.size) < self.size

    def unknown(self, context: Context) -> float:
        """log p(a word that the file lacks | context) in nats."""
        return self._nats(context, self.size)

    def interval(self, beginning: str, within: tuple[int, int] | None = None) -> tuple[int, int]:
        """The words that begin so, as the range of their places in `words`; it may be empty.

        Args:
            within: the range of a shorter beginning, to look in it alone.
        """
        low, high = within or (0, self.size)
        first = bisect_left(self.words, beginning, low, high)
        return first, bisect_left(self.words, beginning + _LAST, first, high)

    def mass(self, context: Context, first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.float64]:
        """Σ p(word | context) over the words of each range.

        A word that was seen after the context has its own probability, all others a share of what they have with a word
        less: so the sum over a range is that of the shorter context, times the back-off weight, and corrected for those
        that were seen.

        Args:
            first, last: (N,) ranges of places in `words`, see `interval`.

        Returns:
            (N,), in [0, 1].
        """
        total: NDArray[np.float64] = self._unigram_sums[last] - self._unigram_sums[first]
        for suffix in self._context(context):
            i, j = np.searchsorted(suffix.words, first), np.searchsorted(suffix.words, last)
            others = np.maximum(total - (suffix.lower[j] - suffix.lower[i]), 0.0)
            total = suffix.seen[j] - suffix.seen[i] + suffix.back_off * others
        return total

    def ngrams(self, n: int) -> NDArray[np.int64]:
        """All n-grams of the file, (R, n) ids: a word's place in `words`, and behind them <unk>, <s>, </s>; n >= 2.

        None is longer than `order`.
        """
        if n > self.order:
            return np.empty((0, n), np.int64)
        order = self._orders[n - 2]
        parents = np.repeat(np.arange(len(order.first) - 1), np.diff(order.first))
        contexts = parents[:, None] if n == 2 else self.ngrams(n - 1)[parents]
        return np.concatenate((contexts, order.words[:, None]), axis=1)

    def ngram_nats(self, grams: NDArray[np.int64]) -> NDArray[np.float64]:
        """log p (R,) in nats of the last word of each row of `grams` (R, n) after the words before it; n <= `order`."""
        n = grams.shape[1]
        if n == 1:
            return self._unigram_nats[grams[:, 0]]
        nats, rows = np.empty(len(grams)), self._rows(grams)
        there = rows >= 0
        nats[there] = self._orders[n - 2].nats[rows[there]]
        if not there.all():
            contexts = self._rows(grams[~there, :-1])
            weights = self._unigram_back_off if n == 2 else self._orders[n - 3].back_off
            nats[~there] = np.where(contexts < 0, 0.0, weights[contexts]) + self.ngram_nats(grams[~there, 1:])
        return nats

    def _suffixes(self, context: Context) -> list[_Suffix]:
        """The ends of a context, the shortest first."""
        suffixes = []
        for length in range(1, len(context) + 1):
            row = self._row(context[-length:])
            if row is None:
                break
            words, seen, lower = np.empty(0, np.int64), np.empty(0), np.empty(0)
            if length <= len(self._orders):
                order = self._orders[length - 1]
                children = slice(order.first[row], order.first[row + 1])
                words, seen, lower = order.words[children], np.exp(order.nats[children]), order.lower[children]
            weight = math.exp(self._back_off(length, row))
            suffixes.append(_Suffix(words, _sums(seen), _sums(lower), weight))
        return suffixes

    def _nats(self, context: Context, word: int) -> float:
        backed_off = 0.0
        for start in range(len(context)):
            row = self._row(context[start:])
            if row is None:
                continue
            length = len(context) - start
            child = self._child(length + 1, row, word)
            if child is not None:
                return backed_off + float(self._orders[length - 1].nats[child])
            backed_off += self._back_off(length, row)
        return backed_off + float(self._unigram_nats[word])

    def _shortened(self, context: Context) -> Context:
        """The longest end of it that tells more about the next word than a shorter one would."""
        for start in range(max(0, len(context) - len(self._orders)), len(context)):
            row = self._row(context[start:])
            if row is None:
                continue
            length = len(context) - start
            order = self._orders[length - 1]
            if order.first[row] < order.first[row + 1] or self._back_off(length, row) != 0.0:
                return context[start:]
        return ()

    def _back_off(self, length: int, row: int) -> float:
        return float(self._unigram_back_off[row] if length == 1 else self._orders[length - 2].back_off[row])

    def _row(self, gram: Context) -> int | None:
        row = gram[0]
        for n, word in enumerate(gram[1:], start=2):
            child = self._child(n, row, word)
            if child is None:
                return None
            row = child
        return row

    def _child(self, n: int, row: int, word: int) -> int | None:
        if n - 2 >= len(self._orders):
            return None
        order = self._orders[n - 2]
        first, last = order.first[row], order.first[row + 1]
        place = int(first + np.searchsorted(order.words[first:last], word))
        return place if place < last and order.words[place] == word else None

    def _order(self, path: Path, n: int, grams: NDArray[np.int64], counted: Grams) -> _Order:
        """The n-grams (R, n) as children of those of the order below."""
        parents = self._rows(grams[:, :-1])
        if (parents < 0).any():
            lacking = self._spelt(grams[int(np.argmax(parents < 0))])
            raise LasasrError(f"{path}: the {n}-gram {lacking!r} is there, but its first {n - 1} words are not")
        order = np.lexsort((grams[:, -1], parents))
        grams, parents = grams[order], parents[order]
        double = (parents[1:] == parents[:-1]) & (grams[1:, -1] == grams[:-1, -1])
        if double.any():
            raise LasasrError(f"{path}: the {n}-gram {self._spelt(grams[int(np.argmax(double))])!r} is there twice")
        above = len(self._id_of) if n == 2 else len(self._orders[n - 3].words)
        return _Order(
            np.searchsorted(parents, np.arange(above + 1)),
            grams[:, -1].copy(),
            np.frombuffer(counted.nats)[order],
            np.frombuffer(counted.back_off)[order],
            np.exp(self.ngram_nats(grams[:, 1:])),
        )

    def _rows(self, grams: NDArray[np.int64]) -> NDArray[np.int64]:
        """(R,) the place of each of `grams` (R, n) among those of its length, -1 where it is not there."""
        rows: NDArray[np.int64] = grams[:, 0]
        for n in range(2, grams.shape[1] + 1):
            order = self._orders[n - 2]
            size = len(self._id_of)
            keys = np.repeat(np.arange(len(order.first) - 1), np.diff(order.first)) * size + order.words
            wanted = np.where(rows < 0, -1, rows * size + grams[:, n - 1])
            places = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
            rows = np.where(keys[places] == wanted, places, -1) if len(keys) else np.full(len(rows), -1)
        return rows

    def _spelt(self, gram: Sequence[int]) -> str:
        names = (*self.words, *SPECIAL)
        return " ".join(names[number] for number in gram)


def _sums(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) → (N + 1,), the sum of those before each place."""
    return np.concatenate(([0.0], np.cumsum(probabilities)))


def _numbered(path: Path, words: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """The words in order, and the place of each of the file's words among them and the special ones.

    Raises:
        LasasrError: two words are the same in lower case, where the file is in capitals.
    """
    if lacking := [word for word in (BEGIN, END) if word not in words]:
        raise LasasrError(f"{path} is no n-gram file of sentences: its 1-grams lack {lacking[0]}")
    if "THE" in words and "the" not in words:
        words = [word if word in SPECIAL else word.lower() for word in words]
    vocabulary = sorted({*words} - {*SPECIAL})
    place = {word: number for number, word in enumerate((*vocabulary, *SPECIAL))}
    if len(vocabulary) + len([word for word in words if word in SPECIAL]) != len(words):
        raise LasasrError(f"{path}: two of its words are the same in lower case; write all of it in lower case")
    return vocabulary, np.array([place[word] for word in words])
