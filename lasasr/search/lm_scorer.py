"""Language models as scorers: shallow fusion (Gulcehre et al. 2015, §4.1) with tensors or with word n-grams."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lasasr.lm.arpa_file import UNKNOWN
from lasasr.lm.base import LanguageModel
from lasasr.lm.ngram import WordModel
from lasasr.search.acoustics import Acoustics
from lasasr.search.base import Scored, Scorer, ScorerAlias, Stateless, StepContext
from lasasr.search.scorer import log_probs
from lasasr.text import special

_REMEMBERED = 1 << 18  # entries of each cache
_NUMBERED = 1 << 18  # contexts, and beginnings of words, from which on `_Numbers` forgets
SPACE = " "  # the beginning of a word of which there is the space before it and no more


class LMScorer(Scorer):
    """log p(token | tokens before) of a language model over the recognizer's tokens.

    Args:
        lm: in evaluation mode; it follows the acoustics to their device.
        name: the key in `Hypothesis.scores`.
    """

    def __init__(self, lm: LanguageModel, name: str = "lm") -> None:
        self.lm, self.name = lm, name

    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        self.lm.to(acoustics.encoded.device)
        return Stateless(), self.lm.initial(len(acoustics.mask), hypotheses)

    def score(self, tokens: Tensor, memory: Any, state: Any, context: StepContext) -> Scored:
        step = self.lm.step(tokens, state)
        return Scored(log_probs(step.logits), step.state)


class ShallowFusion(ScorerAlias):
    """A language model as an entry of `search.scorers`.

    Args:
        lm: the scorer of what `lm` names: a run folder or bundle of `lasasr train lm/...`, or an n-gram file.
        unknown: see `penalised`.

    Raises:
        ValueError: `lm` is not set, or has no words and `unknown` is not 0.
    """

    def __init__(self, lm: Scorer | None, weight: float | None = None, unknown: float = 0.0) -> None:
        if lm is None:
            raise ValueError("lm is not set; it names a run or bundle of lasasr train lm/..., or an n-gram file")
        super().__init__(penalised(lm, unknown, "unknown"), "lm", weight)


def penalised(lm: Scorer, unknown: float, key: str) -> Scorer:
    """A scorer of word n-grams with so much, log, added for every word that it lacks; any scorer where that is 0.

    Args:
        key: that sets it, for the error.

    Raises:
        ValueError: it is not 0, and the scorer is none of words, or it is above 0.
    """
    if unknown == 0.0:
        return lm
    if not isinstance(lm, NGramScorer):
        raise ValueError(f"{key} is {unknown}, but lm is no n-gram file, and has no unknown words; leave {key} out")
    return lm.with_unknown(unknown)


class NGramState(NamedTuple):
    """The position of each hypothesis in its words, as numbers that `_Numbers` assigned."""

    context: Tensor  # (B, K) int64, the word model's context after the last whole word
    partial: Tensor  # (B, K) int64, the beginning of a word since then; empty only at the beginning of a text


class NGramScorer(Scorer):
    """log p(word | words before) of a word model, given at the token that shows that the word has ended.

    That is a token which begins the next word, or a space, or eos, which scores the end of the sentence too; tokens
    within a word score 0. So the total of a finished hypothesis is the model's own score of its words. All tokens that
    end a word share one query to the word model, which runs on the CPU, hypothesis by hypothesis, and is
    cached: unlike all other scorers this one loops over hypotheses.

    An extra space (a second one, one at the end, one at the beginning unless `leading_space`) ends an empty word: that
    costs what an unknown word costs, and the words after it are scored as if it were not there. Were it free, a search
    would write spaces for their `length_bonus`.

    Args:
        words: the word model.
        pieces: (V,) the text of every token of the recognizer, special ones too; a token that begins a word begins
            with a space.
        name: the key in `Hypothesis.scores`.
        unknown: log, at most 0, added to the score of every word that the model lacks.
        leading_space: whether a space at the beginning of a text belongs to its first word (SentencePiece).

    Raises:
        ValueError: a piece holds a space elsewhere than at its beginning; or `unknown` is not at most 0, and finite.
    """

    def __init__(
        self,
        words: WordModel,
        pieces: Sequence[str],
        name: str = "lm",
        unknown: float = 0.0,
        leading_space: bool = False,
    ) -> None:
        text = pieces[special.FIRST_TEXT :]
        if odd := [piece for piece in text if " " in piece[1:]]:
            raise ValueError(f"a piece may hold a space only at its beginning, got {odd[0]!r}")
        if not -math.inf < unknown <= 0.0:
            raise ValueError(f"what is added for unknown words must be at most 0, and finite, got {unknown}")
        self.words, self.pieces, self.name, self.unknown = words, tuple(pieces), name, unknown
        self.leading_space = leading_space
        # (V − 4,) the place in `_ends` of what a token scores
        kinds = [0 if piece == SPACE else 1 if piece.startswith(" ") else 3 for piece in text]
        self._kinds = torch.tensor(kinds, dtype=torch.int64)
        self._contexts, self._partials = _Numbers(), _Numbers()
        self._advance = lru_cache(_REMEMBERED)(self._advance_one)
        self._ends = lru_cache(_REMEMBERED)(self._ends_of_one)

    def with_unknown(self, unknown: float) -> NGramScorer:
        """The same with another `unknown`."""
        return type(self)(self.words, self.pieces, self.name, unknown, self.leading_space)

    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        if self._contexts.forget() | self._partials.forget():
            self._advance.cache_clear()  # its results are numbers
        rows = torch.zeros(len(acoustics.mask), hypotheses, dtype=torch.int64, device=acoustics.encoded.device)
        context, partial = self._contexts.of(self.words.begin()), self._partials.of("")
        return Stateless(), NGramState(rows + context, rows + partial)

    def score(self, tokens: Tensor, memory: Any, state: NGramState, context: StepContext) -> Scored:
        before = zip(*(leaf.flatten().tolist() for leaf in (*state, tokens)), strict=True)
        after = [self._advance(*row) for row in before]
        contexts, partials = torch.tensor(after, device=tokens.device).unbind(1)
        state = NGramState(contexts.view(tokens.shape), partials.view(tokens.shape))
        return Scored(self._token_scores(after).to(tokens.device).view(*tokens.shape, -1), state)

    def _token_scores(self, states: Sequence[tuple[int, int]]) -> Tensor:
        """(N, V) float64, of what may follow each of N contexts and partial words."""
        ends = torch.tensor([self._ends(*state) for state in states], dtype=torch.float64)
        scores = ends.new_zeros(len(states), len(self.pieces))
        scores[:, special.FIRST_TEXT :] = ends[:, self._kinds]
        scores[:, special.EOS] = ends[:, 2]
        return scores

    def _advance_one(self, context: int, partial: int, token: int) -> tuple[int, int]:
        """Context and partial word after one more token."""
        if token < special.FIRST_TEXT:
            return self._contexts.used(context), self._partials.used(partial)
        piece = self.pieces[token]
        if not piece.startswith(" "):
            beginning = self._partials[partial].removeprefix(SPACE) + piece
            return self._contexts.used(context), self._partial(beginning)
        return self._contexts.of(self._word(context, partial)[1]), self._partial(piece[1:] or SPACE)

    def _partial(self, beginning: str) -> int:
        """The number of the beginning of a word."""
        return self._partials.of(beginning)

    def _ends_of_one(self, context: int, partial: int) -> tuple[float, float, float, float]:
        """What tokens score here: (a lone space, a token that begins the next word, eos, one within the word)."""
        score, after = self._word(context, partial)
        at_beginning = not self._partials[partial]
        space = self._empty_word(context) if at_beginning and not self.leading_space else score
        return space, score, score + self.words.end(after), 0.0

    def _empty_word(self, context: int) -> float:
        return self.words.word(self._contexts[context], UNKNOWN)[0] + self.unknown

    def _word(self, context: int, partial: int) -> tuple[float, Hashable]:
        """Score of the partial word as a whole one, and the context after it.

        An unknown word can make the words after it more probable, an empty one must not: it leaves the context as it
        is.
        """
        word = self._partials[partial]
        before: Hashable = self._contexts[context]
        if not word:
            return 0.0, before
        if word == SPACE:
            return self._empty_word(context), before
        score, after = self.words.word(before, word)
        return (score if self.words.has(word) else score + self.unknown), after


class _Numbers:
    """Assigns numbers to values in the order of their first use; a number keeps its value while it is in use.

    Nothing tells when the last hypothesis lets go of a number, because tensors hold them. So `forget` forgets those
    that were not used since it forgot the last time: a search uses its own at each step, and can go on although others
    began in the meantime.
    """

    def __init__(self) -> None:
        self._recent: dict[int, Any] = {}
        self._before: dict[int, Any] = {}  # not used since some were forgotten
        self._of: dict[Hashable, int] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._of)

    def __getitem__(self, number: int) -> Any:
        return self._recent[number] if number in self._recent else self._before[number]

    def of(self, value: Hashable) -> int:
        """The number of a value."""
        if value in self._of:
            return self.used(self._of[value])
        number = self._of[value] = self._next
        self._recent[number] = value
        self._next += 1
        return number

    def used(self, number: int) -> int:
        """The number itself, which is in use."""
        if number in self._before:
            self._recent[number] = self._before.pop(number)
        return number

    def forget(self) -> bool:
        """Forget, where more than `_NUMBERED` were used since the last time; says whether that is so."""
        if len(self._recent) <= _NUMBERED:
            return False
        for value in self._before.values():
            del self._of[value]
        self._before, self._recent = self._recent, {}
        return True
