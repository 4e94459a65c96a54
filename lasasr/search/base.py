"""The contracts of a search, and of whatever scores the next token for it.

As in *Attend*, the state of a scorer is a value in two parts: `memory`, which all hypotheses of an utterance share
(leaves (B, ...)), and `state`, which each hypothesis owns (leaves (B, K, ...)). Both are NamedTuples of tensors; search
gathers and selects them through `lasasr.nn.tree` and never reads their fields. K counts the hypotheses of an utterance.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from lasasr.nn import tree
from lasasr.search.acoustics import Acoustics
from lasasr.search.hypothesis import Hypothesis
from lasasr.spell.base import Decoder


class Search(ABC):
    """Decodes a batch. A class of one's own must raise `UsageError` where the model lacks a part that it needs."""

    @abstractmethod
    def __call__(
        self, decoder: Decoder | None, acoustics: Acoustics, ids: Sequence[str] = ()
    ) -> list[list[Hypothesis]]:
        """For each utterance its hypotheses, the best first; at least one.

        Args:
            decoder: in evaluation mode; None where the model has none.
            acoustics: encoded frames, and CTC's log probabilities where the model has a CTC head.
            ids: the utterances' names, for error messages.
        """

    @abstractmethod
    def score(self, decoder: Decoder | None, acoustics: Acoustics, tokens: Sequence[Sequence[int]]) -> list[Hypothesis]:
        """Score tokens (of the reference, for example), one sequence per utterance, as this search would."""


class Stateless(NamedTuple):
    """The memory or state of a scorer that needs none."""


class StepContext(NamedTuple):
    """Results of the scorers that ran before this one at the same step."""

    weights: Tensor | None = None  # (B, K, H, T), the decoder's attention
    candidates: Tensor | None = None  # (B, K, P) int64, the tokens that a pre-beam kept; None: all


class Scored(NamedTuple):
    """One step for every hypothesis."""

    scores: Tensor  # log, broadcasts to (B, K, V); (B, K, P) from a partial scorer that was given candidates
    state: Any
    weights: Tensor | None = None  # (B, K, H, T), from a scorer that attends
    ending: Tensor | None = None  # (B, K), log, what eos scores on top
    # (B, K), log: what the total of this scorer can come to at most, whatever follows; None: `Scorer.most_left` says
    highest: Tensor | None = None


class Scorer(ABC):
    """Scores every next token of every hypothesis.

    Promises, each tried by `lasasr check scorer=NAME`:
    * the order of a step is: `score` reads the last tokens, search picks, `reorder` follows what was picked. The total
      of a hypothesis is the sum of the scores of its tokens and of its eos, times the weight;
    * an utterance is scored the same alone and in any batch; padding frames (`acoustics.mask` False) may hold anything;
    * only constants are kept on `self` between calls: what depends on a hypothesis is in its state. Memory and
      state keep their structure, shapes and dtypes;
    * scores may be -inf (never this token), but neither NaN nor +inf, nor more than `most_left` says.
    What is an entry of `search.scorers` takes `weight` as a keyword, sets it, and takes the rest from the yaml. An
    option named `lm` (a run, bundle or n-gram file) comes as a scorer; one named `file` or `..._file` is the path of a
    file. Both travel in the bundle.
    """

    name: str  # the key in `Hypothesis.scores`; an entry of `search.scorers` has its name there
    weight: float | None = None  # log scores are multiplied by it; an entry of `search.scorers` needs one, 0: not run
    partial: bool = False  # True: scores only `StepContext.candidates` where there are any

    @abstractmethod
    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        """Memory (leaves (B, ...)) and the state of the empty hypothesis (leaves (B, hypotheses, ...))."""

    @abstractmethod
    def score(self, tokens: Tensor, memory: Any, state: Any, context: StepContext) -> Scored:
        """Score what may follow `tokens` (B, K) int64, the last token of each hypothesis (SOS at first)."""

    def reorder(self, memory: Any, state: Any, parents: Tensor, tokens: Tensor) -> Any:
        """The state in which hypothesis k continues parents[b, k] with tokens[b, k]; both (B, K') int64."""
        return tree.reorder(state, parents)

    def most_left(self, so_far: Tensor, left: Tensor, frames: Tensor) -> Tensor | float:
        """An upper bound of what the tokens still to come can score together, by which a search knows when to end.

        Log probabilities add at most 0, as here. A scorer that rewards must say how much, or a search with it may end
        before its best hypothesis.

        Args:
            so_far: (B, K) float64, what this scorer has given a hypothesis, not weighted.
            left: (B, 1) int64, tokens still to be scored, eos included.
            frames: (B, 1) int64, encoded frames.

        Returns:
            Not weighted; broadcasts to (B, K). c + g · left, with c and g that do not depend on `left`: of all lengths
            the search asks about the shortest and the longest.
        """
        return 0.0


class ScorerAlias(Scorer):
    """A scorer under another key, perhaps with another weight."""

    def __init__(self, scorer: Scorer, name: str, weight: float | None = None) -> None:
        self.scorer, self.name, self.partial = scorer, name, scorer.partial
        self.weight = scorer.weight if weight is None else weight

    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        return self.scorer.start(acoustics, hypotheses)

    def score(self, tokens: Tensor, memory: Any, state: Any, context: StepContext) -> Scored:
        return self.scorer.score(tokens, memory, state, context)

    def reorder(self, memory: Any, state: Any, parents: Tensor, tokens: Tensor) -> Any:
        return self.scorer.reorder(memory, state, parents, tokens)

    def most_left(self, so_far: Tensor, left: Tensor, frames: Tensor) -> Tensor | float:
        return self.scorer.most_left(so_far, left, frames)
