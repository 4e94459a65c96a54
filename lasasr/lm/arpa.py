"""Word n-grams of an ARPA file, which also tell how probable all words with a common beginning are together."""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lasasr.artifacts import files
from lasasr.errors import LasasrError

UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"
_SPECIAL: Final = (UNKNOWN, BEGIN, END)  # after all words, in this order
_UNKNOWN_IN_CAPITALS: Final = "<UNK>"
_LN10: Final = math.log(10.0)
_NEVER: Final = -100.0 * _LN10  # an unknown word, where the file has no <unk>: as KenLM
_LAST = chr(0x10FFFF)  # behind every character that a word may go on with
_REMEMBERED: Final = 1 << 14  # contexts
_MOST_BACK_OFF: Final = 20.0  # log10 of a weight: rounded files need 7 at most, and powers of it must be finite
_QUOTED: Final = 60  # characters of a line or word that an error quotes
_ENDS: Final = "\t\r\n "  # of a line; a word may end with another sign that Python takes for a blank
_BLANKS: Final = re.compile(r"[\t ]+")
_COUNT: Final = re.compile(r"ngram\s+(\d{1,3})\s*=\s*(\d{1,15})")
_TITLE: Final = re.compile(r"\\(\d+-grams:|end\\)")

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
        grams = _read(path)
        self.words, ids = _numbered(path, grams[0].words)
        self.size = len(self.words)  # words without the three special ones; ids below it are words
        self._id_of = {word: number for number, word in enumerate((*self.words, *_SPECIAL))}
        self._unigram_nats = np.full(len(self._id_of), _NEVER)
        self._unigram_nats[ids] = grams[0].nats
        self._unigram_back_off = np.zeros(len(self._id_of))
        self._unigram_back_off[ids] = grams[0].back_off
        self._unigram_sums = _sums(np.exp(self._unigram_nats[: self.size]))
        self._orders: list[_Order] = []
        for n, counted in enumerate(grams[1:], start=2):
            self._orders.append(self._order(path, n, ids[np.frombuffer(counted.ids, np.int64).reshape(-1, n)], counted))
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

    def _order(self, path: Path, n: int, grams: NDArray[np.int64], counted: _Grams) -> _Order:
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
            np.exp(self._all_nats(grams[:, 1:])),
        )

    def _all_nats(self, grams: NDArray[np.int64]) -> NDArray[np.float64]:
        """log p (R,) of the last word of each of `grams` (R, n) after the words before it."""
        n = grams.shape[1]
        if n == 1:
            return self._unigram_nats[grams[:, 0]]
        nats, rows = np.empty(len(grams)), self._rows(grams)
        there = rows >= 0
        nats[there] = self._orders[n - 2].nats[rows[there]]
        if not there.all():
            contexts = self._rows(grams[~there, :-1])
            weights = self._unigram_back_off if n == 2 else self._orders[n - 3].back_off
            nats[~there] = np.where(contexts < 0, 0.0, weights[contexts]) + self._all_nats(grams[~there, 1:])
        return nats

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
        names = (*self.words, *_SPECIAL)
        return " ".join(names[number] for number in gram)


def _sums(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) → (N + 1,), the sum of those before each place."""
    return np.concatenate(([0.0], np.cumsum(probabilities)))


class _Grams(NamedTuple):
    """What the file says of the n-grams of one length."""

    words: list[str]  # of the unigrams, in the file's order
    ids: array[int]  # n to a row: the place of each word among the unigrams
    nats: array[float]
    back_off: array[float]


def _read(path: Path) -> list[_Grams]:
    """
    Raises:
        LasasrError: see `BackOffModel`.
    """
    try:
        return list(_sections(path, _lines(path)))
    except (OSError, EOFError) as error:
        raise LasasrError(f"{path} cannot be read as n-grams: {' '.join(str(error).split())}") from None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Its lines with their numbers, without blanks at their ends."""
    number = 0
    try:
        for number, line in enumerate(files.lines(path), start=1):
            yield number, (line.removeprefix("\ufeff") if number == 1 else line).strip(_ENDS)
    except UnicodeDecodeError:
        raise LasasrError(
            f"{path}, line {number + 1} is not UTF-8; n-grams are read from ARPA files and from KenLM's own format"
        ) from None


def _sections(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[_Grams]:
    if not any(line == "\\data\\" for _, line in lines):  # what stands before it is a comment
        raise LasasrError(f"{path} is no n-gram file: it has no line \\data\\")
    number, line, sizes = 0, "", list[int]()
    for number, line in lines:
        if counted := _COUNT.fullmatch(line):
            if int(counted[1]) != len(sizes) + 1:
                raise _unexpected(path, number, f"the number of {len(sizes) + 1}-grams", line)
            sizes.append(int(counted[2]))
        elif line:
            break
    if not sizes or line != "\\1-grams:":
        raise _unexpected(path, number, "\\1-grams: after the numbers of n-grams", line)
    places: dict[str, int] = {}
    for n, size in enumerate(sizes, start=1):
        grams = _Grams([], array("q"), array("d"), array("d"))
        for number, line in lines:
            if line.startswith("\\") and _TITLE.fullmatch(line):
                break
            if line:
                _take(path, number, line, n, grams, places)
        else:
            raise LasasrError(f"{path} ends within its {n}-grams: it has no line \\end\\")
        if len(grams.nats) != size:
            raise LasasrError(f"{path} says that it has {size:,} {n}-grams, and has {len(grams.nats):,}")
        title = f"\\{n + 1}-grams:" if n < len(sizes) else "\\end\\"
        if line != title:
            raise _unexpected(path, number, title, line)
        yield grams


def _unexpected(path: Path, number: int, expected: str, line: str) -> LasasrError:
    return LasasrError(f"{path}, line {number}: expected {expected}, got {line[:_QUOTED]!r}")


def _take(path: Path, number: int, line: str, n: int, grams: _Grams, places: dict[str, int]) -> None:
    """One line: log10 p, n words, perhaps the log10 of the back-off weight."""
    fields = _BLANKS.split(line)  # not all that Python takes for a blank: a word may hold a no-break space
    try:
        nats, back_off = float(fields[0]), float(fields[n + 1]) if len(fields) == n + 2 else 0.0
        if len(fields) not in (n + 1, n + 2):
            raise ValueError
    except (ValueError, IndexError):
        raise LasasrError(
            f"{path}, line {number} is no {n}-gram: {line[:_QUOTED]!r}; that is log10 p, {n} word{'s' * (n > 1)}, "
            "and perhaps the log10 of a back-off weight"
        ) from None
    if not nats <= 0.0:
        raise LasasrError(f"{path}, line {number}: log10 p must be at most 0, got {fields[0][:_QUOTED]}")
    if not back_off <= _MOST_BACK_OFF:
        raise LasasrError(
            f"{path}, line {number}: the log10 of a back-off weight must be at most {_MOST_BACK_OFF:g}, "
            f"got {fields[-1][:_QUOTED]}"
        )
    words = fields[1 : n + 1]
    if n == 1:
        names = (UNKNOWN, _UNKNOWN_IN_CAPITALS) if words[0] in (UNKNOWN, _UNKNOWN_IN_CAPITALS) else words
        if any(places.setdefault(name, len(grams.words)) != len(grams.words) for name in names):
            raise LasasrError(f"{path}, line {number}: the word {words[0][:_QUOTED]!r} is there twice")
        grams.words.append(names[0])
    else:
        try:
            grams.ids.extend([places[word] for word in words])
        except KeyError as error:
            raise LasasrError(f"{path}, line {number}: {error.args[0][:_QUOTED]!r} is none of its 1-grams") from None
    grams.nats.append(max(nats * _LN10, _NEVER))
    grams.back_off.append(max(back_off * _LN10, _NEVER))


def _numbered(path: Path, words: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """The words in order, and the place of each of the file's words among them and the special ones.

    Raises:
        LasasrError: two words are the same in lower case, where the file is in capitals.
    """
    if lacking := [word for word in (BEGIN, END) if word not in words]:
        raise LasasrError(f"{path} is no n-gram file of sentences: its 1-grams lack {lacking[0]}")
    if "THE" in words and "the" not in words:
        words = [word if word in _SPECIAL else word.lower() for word in words]
    vocabulary = sorted({*words} - {*_SPECIAL})
    place = {word: number for number, word in enumerate((*vocabulary, *_SPECIAL))}
    if len(vocabulary) + len([word for word in words if word in _SPECIAL]) != len(words):
        raise LasasrError(f"{path}: two of its words are the same in lower case; write all of it in lower case")
    return vocabulary, np.array([place[word] for word in words])
