"""Word n-grams that score every token as soon as it is read: the words that may still follow are looked ahead to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lasasr.lm.arpa import BackOffModel
from lasasr.search.lm_scorer import SPACE, NGramScorer
from lasasr.text import special

_REMEMBERED = 1 << 24  # scores of tokens that are kept, in all
_UNKNOWN_WORD = "\0"  # the beginning of no word
_UNKNOWN_LEFT = 1e-300  # so that no logarithm is taken of zero


class LookAheadScorer(NGramScorer):
    """log p(all words that go on like this) − log p(all that could before), of a word n-gram (Hori et al. 2018, §3.2).

    A token within a word scores by how much it narrows down which words may follow, given the words before; the token
    that ends the word scores the rest. So the total of a finished hypothesis is the model's own score of its words, and
    no token scores more than 0. Beginnings of which the model has no word are those of an unknown word, whose
    probability counts at every beginning. Extra spaces cost what they do in `NGramScorer`.

    Args:
        words: the word model.
        pieces: (V,) see `NGramScorer`.
        name: the key in `Hypothesis.scores`.
        unknown: see `NGramScorer`.
        leading_space: see `NGramScorer`.

    Raises:
        ValueError: see `NGramScorer`.
    """

    words: BackOffModel

    def __init__(
        self,
        words: BackOffModel,
        pieces: Sequence[str],
        name: str = "lm",
        unknown: float = 0.0,
        leading_space: bool = False,
    ) -> None:
        super().__init__(words, pieces, name, unknown, leading_space)
        text = self.pieces[special.FIRST_TEXT :]
        self._starts = np.array([piece.startswith(" ") for piece in text], dtype=bool)
        self._heads = self._intervals([piece[1:] for piece in text if piece.startswith(" ")])
        self._bare = np.array([piece == SPACE for piece in text if piece.startswith(" ")], dtype=bool)
        self._tails = [piece for piece in text if not piece.startswith(" ")]
        kept = max(1, _REMEMBERED // len(self.pieces))
        self._scores_of = lru_cache(kept)(self._scores_of_one)
        self._below = lru_cache(kept)(self._below_one)

    def _token_scores(self, states: Sequence[tuple[int, int]]) -> Tensor:
        return torch.from_numpy(np.stack([self._scores_of(*state) for state in states]))

    def _partial(self, beginning: str) -> int:
        """All beginnings of unknown words are one: none of them has scores of its own to be computed and kept."""
        first, last = self.words.interval(beginning)
        return super()._partial(beginning if first < last or beginning in ("", SPACE) else _UNKNOWN_WORD)

    def _scores_of_one(self, context: int, partial: int) -> NDArray[np.float64]:
        """(V,) after a context and the beginning of a word."""
        words, beginning = self._contexts[context], self._partials[partial].removeprefix(SPACE)
        there = self._intervals([beginning])
        before = float(self._mass(words, there)[0]) if beginning else 0.0
        (space, ended, eos, _), after = self._ends(context, partial), self._word(context, partial)[1]
        scores = np.zeros(len(self.pieces))
        text = scores[special.FIRST_TEXT :]
        if not beginning or there[0, 0] < there[1, 0]:  # else the word is unknown, and stays so
            text[~self._starts] = self._mass(words, self._below(beginning)) - before
        text[self._starts] = np.where(self._bare, space, ended + self._mass(after, self._heads)) - before
        scores[special.EOS] = eos - before
        return scores

    def _below_one(self, partial: str) -> NDArray[np.int64]:
        """(2, N), of each tail after the beginning of a word."""
        within = self.words.interval(partial)
        return self._intervals([partial + tail for tail in self._tails], within)

    def _intervals(self, beginnings: Sequence[str], within: tuple[int, int] | None = None) -> NDArray[np.int64]:
        """(2, N)."""
        ranges = [self.words.interval(beginning, within) for beginning in beginnings]
        return np.array(ranges, dtype=np.int64).reshape(-1, 2).T

    def _mass(self, context: Any, intervals: NDArray[np.int64]) -> NDArray[np.float64]:
        """(N,) log, of the words of each interval and of an unknown one."""
        unknown = max(math.exp(self.words.unknown(context) + self.unknown), _UNKNOWN_LEFT)
        mass: NDArray[np.float64] = np.log(self.words.mass(context, *intervals) + unknown)
        return mass
