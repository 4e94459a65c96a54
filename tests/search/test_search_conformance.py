"""`lasasr check scorer=NAME`: promises kept by every shipped scorer, each broken by the scorer that breaks it."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import pytest
import torch
from arpa import ARPAModel
from shipped_parts import names, part
from torch import Tensor

from lasasr.lm.lstm import LSTMLanguageModel
from lasasr.models import search_parts
from lasasr.search.acoustics import Acoustics
from lasasr.search.base import Scored, Scorer, Stateless, StepContext
from lasasr.search.conformance import PROMISES, check
from lasasr.search.lm_scorer import LMScorer, NGramScorer, ShallowFusion
from lasasr.text import special

V = 20


def broken(make: Any) -> dict[str, str]:
    return {finding.promise: finding.number for finding in check(make) if not finding.kept}


def language_model(_: str) -> Scorer:
    torch.manual_seed(0)
    return LMScorer(LSTMLanguageModel(vocabulary_size=V, hidden_dim=6, embedding_dim=4, layers=2).eval())


@pytest.mark.parametrize("name", names("scorer"))
def test_every_shipped_scorer_keeps_every_promise(name: str) -> None:
    needed = {"lm": {"lm": "a run"}, "hotwords": {"phrases": {"ab": 3.0, "a bc": 7.0, "c": -1.0}}}
    config, pieces = {**part("scorer", name), **needed.get(name, {})}, (*special.NAMES, " ", *"abc", " a", "bc", " ab")
    assert (
        broken(lambda weight: search_parts.scorer({**config, "weight": weight}, "mine", language_model, V, pieces))
        == {}
    )


def test_ctc_near_the_peak_of_attention_does_too() -> None:
    config = {**part("scorer", "ctc"), "window": 2}
    assert broken(lambda weight: search_parts.scorer({**config, "weight": weight}, "mine", language_model, V)) == {}


def test_words_by_an_n_gram_file_do_too() -> None:
    pieces = (*special.NAMES, " ", *"abcdefghij")
    assert broken(lambda weight: ShallowFusion(NGramScorer(ARPAModel(), pieces), weight)) == {}


class Heard(NamedTuple):
    level: Tensor  # (B,)


class Past(NamedTuple):
    trace: Tensor  # (B, K)


@cache
def table() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(V, V)


class Whole(Scorer):
    """What follows the last token, what was heard and a trace of all tokens before: unbroken."""

    partial = True

    def __init__(self, weight: float | None = None) -> None:
        self.weight = weight

    def level(self, acoustics: Acoustics) -> Tensor:
        real = torch.where(acoustics.mask[..., None], acoustics.encoded, 0.0)
        return real.sum((1, 2)) / acoustics.mask.sum(1)

    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        return Heard(self.level(acoustics)), Past(torch.zeros(len(acoustics.mask), hypotheses))

    def advance(self, tokens: Tensor, state: Past) -> Past:
        return Past(0.5 * state.trace + tokens / V)

    def every(self, tokens: Tensor, memory: Heard, state: Past) -> Tensor:
        return table()[tokens] + memory.level[:, None, None] + state.trace[..., None] * torch.arange(V).cos() - 30.0

    def score(self, tokens: Tensor, memory: Any, state: Any, context: StepContext) -> Scored:
        state = self.advance(tokens, state)
        scores = self.every(tokens, memory, state)
        return Scored(scores if context.candidates is None else scores.gather(2, context.candidates), state)


class Overflows(Whole):
    def level(self, acoustics: Acoustics) -> Tensor:
        return super().level(acoustics).abs().exp()


class Rewards(Whole):
    """More than a log probability, without a word of it."""

    def every(self, tokens: Tensor, memory: Heard, state: Past) -> Tensor:
        scores = super().every(tokens, memory, state)
        return scores - scores.amax() + 0.5


class RewardsLater(Whole):
    """Says of the first token only that it may give 1."""

    def every(self, tokens: Tensor, memory: Heard, state: Past) -> Tensor:
        return torch.ones(*tokens.shape, V)

    def most_left(self, so_far: Tensor, left: Tensor, frames: Tensor) -> Tensor | float:
        return (so_far == 0.0).double()


class RewardsTwo(Whole):
    """1 for each of two tokens, and says so: 0, 1, 2, 2, 2, ..."""

    def every(self, tokens: Tensor, memory: Heard, state: Past) -> Tensor:
        return super().every(tokens, memory, state).clamp(max=0.0)

    def most_left(self, so_far: Tensor, left: Tensor, frames: Tensor) -> Tensor:
        return left.clamp(max=2)


class LowHighest(Whole):
    """Says that its total is -60 at most."""

    def score(self, tokens: Tensor, memory: Any, state: Any, context: StepContext) -> Scored:
        scored = super().score(tokens, memory, state, context)
        return scored._replace(highest=torch.full(tokens.shape, -60.0, dtype=torch.float64))


class LoneTable(Whole):
    """Memory holds what has no utterance."""

    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        memory, state = super().start(acoustics, hypotheses)
        return (*memory, table()), state

    def every(self, tokens: Tensor, memory: Any, state: Past) -> Tensor:
        return super().every(tokens, Heard(memory[0]), state)


class OtherType(Whole):
    def advance(self, tokens: Tensor, state: Past) -> Past:
        return Past(super().advance(tokens, state).trace.double())


class SeesNeighbours(Whole):
    def level(self, acoustics: Acoustics) -> Tensor:
        level = super().level(acoustics)
        return level - level.mean()


class SeesPadding(Whole):
    def level(self, acoustics: Acoustics) -> Tensor:
        return acoustics.encoded.nan_to_num().mean((1, 2))


class HiddenTrace(Whole):
    """What search must reorder is kept on `self`."""

    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        memory, self.hidden = super().start(acoustics, hypotheses)
        return memory, Stateless()

    def advance(self, tokens: Tensor, state: Any) -> Any:
        self.hidden = super().advance(tokens, self.hidden)
        return Stateless()

    def every(self, tokens: Tensor, memory: Heard, state: Any) -> Tensor:
        return super().every(tokens, memory, self.hidden)


class Stays(Whole):
    def reorder(self, memory: Any, state: Any, parents: Tensor, tokens: Tensor) -> Any:
        return state


class HiddenMemory(Whole):
    """As if there were only one search in the world, and none of its utterances left early."""

    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        self.kept, state = super().start(acoustics, hypotheses)
        return Stateless(), state

    def every(self, tokens: Tensor, memory: Any, state: Past) -> Tensor:
        return super().every(tokens, self.kept, state)


class InPlace(Whole):
    def advance(self, tokens: Tensor, state: Past) -> Past:
        state.trace.mul_(0.5).add_(tokens / V)
        return state


class WritesHeard(Whole):
    def level(self, acoustics: Acoustics) -> Tensor:
        return super().level(acoustics._replace(encoded=acoustics.encoded.mul_(0.5)))


class WritesMemory(Whole):
    def every(self, tokens: Tensor, memory: Heard, state: Past) -> Tensor:
        memory.level.mul_(0.5)
        return super().every(tokens, memory, state)


class Noisy(Whole):
    def every(self, tokens: Tensor, memory: Heard, state: Past) -> Tensor:
        scores = super().every(tokens, memory, state)
        return scores + torch.rand_like(scores)


class AmongCandidates(Whole):
    """Normalises over the candidates alone."""

    def score(self, tokens: Tensor, memory: Any, state: Any, context: StepContext) -> Scored:
        scored = super().score(tokens, memory, state, context)
        return scored._replace(scores=scored.scores.log_softmax(-1))


class OneWeight(Whole):
    def __init__(self, weight: float | None = None) -> None:
        self.weight = 1.0


class WeighsTwice(Whole):
    def every(self, tokens: Tensor, memory: Heard, state: Past) -> Tensor:
        assert self.weight is not None
        return self.weight * super().every(tokens, memory, state)


BROKEN = [
    (Overflows, "scores broadcast to (B, K, V), never NaN or +inf"),
    (Rewards, "tokens to come score no more than most_left says"),
    (RewardsLater, "tokens to come score no more than most_left says"),
    (LowHighest, "tokens to come score no more than most_left says"),
    (RewardsTwo, "most_left is c + g times the tokens left"),
    (LoneTable, "memory begins with B, state with B, K"),
    (OtherType, "memory and state keep structure, shapes, dtypes"),
    (SeesNeighbours, "alone is as in a batch"),
    (SeesPadding, "more padding, filled with 1e3 or NaN, changes nothing"),
    (HiddenTrace, "reorder follows the parents: a beam scores as each hypothesis alone"),
    (Stays, "reorder follows the parents: a beam scores as each hypothesis alone"),
    (HiddenTrace, "two interleaved searches do not disturb each other"),
    (HiddenMemory, "two interleaved searches do not disturb each other"),
    (InPlace, "a state can be continued twice"),
    (HiddenMemory, "utterances that leave the batch change nothing"),
    (WritesHeard, "what was heard and memory are left untouched"),
    (WritesMemory, "what was heard and memory are left untouched"),
    (Noisy, "deterministic"),
    (AmongCandidates, "partial: candidates score as among all tokens"),
    (OneWeight, "weight is taken, and left to the search"),
    (WeighsTwice, "weight is taken, and left to the search"),
]


def test_the_unbroken_one_keeps_every_promise() -> None:
    assert broken(Whole) == {}


@pytest.mark.parametrize(
    ("make", "promise"), BROKEN, ids=[f"{make.__name__}-{n}" for n, (make, _) in enumerate(BROKEN)]
)
def test_each_defect_is_caught_by_the_promise_meant_for_it(make: Any, promise: str) -> None:
    assert promise in broken(make)


def test_every_promise_has_a_scorer_that_breaks_it() -> None:
    assert {promise for _, promise in BROKEN} == set(PROMISES)
