"""Whose error it is: an exhaustive search never errs, a greedy one in a trap does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from search_decoders import ScriptedDecoder, TinyDecoder, acoustics

from lasasr.errors import LasasrError
from lasasr.evaluation.faults import gap_s, reference_scores
from lasasr.metrics.triage import verdict
from lasasr.search.acoustics import Acoustics
from lasasr.search.beam import BeamSearch
from lasasr.search.greedy import GreedySearch
from lasasr.search.limits import Limits
from lasasr.search.pruning import Pruning

LIMITS = Limits(max_length=3)


class Letters:
    """A tokenizer of d, e, f and g."""

    def encode(self, text: str) -> list[int]:
        if not set(text) <= set("defg"):
            raise LasasrError(f"{text} holds what was never seen")
        return [4 + "defg".index(letter) for letter in text]


def recognizer(search: Any, decoder: Any) -> Any:
    return SimpleNamespace(search=search, model=SimpleNamespace(decoder=decoder), tokenizer=Letters())


@pytest.mark.parametrize("options", [{}, {"ctc_weight": 0.3}, {"normalise": True}])
def test_an_exhaustive_search_never_errs(options: dict[str, Any]) -> None:
    utterances, decoder, texts = acoustics(4, 6, 5, seed=2), TinyDecoder(seed=2), ["de", "gg", "fed"]
    search = BeamSearch(beam=64, pruning=Pruning(end_margin=float("inf")), limits=LIMITS, **options)
    best = [nbest[0] for nbest in search(decoder, utterances)]
    scores = reference_scores(recognizer(search, decoder), utterances, texts, [True] * 3)
    assert [verdict(hypothesis.score, score) for hypothesis, score in zip(best, scores, strict=True)] == [
        "model_error"
    ] * 3


def test_a_greedy_search_errs_in_a_trap() -> None:
    """The likelier first token leads to where every next token is as likely; the other one to a certain end."""

    class Trap(ScriptedDecoder):
        def step(self, tokens: Any, memory: Any, state: Any) -> Any:
            step = super().step(tokens, memory, state)
            logits = step.logits.clone()
            logits[tokens == 5] = torch.nn.functional.one_hot(torch.tensor(3), 8).float() * 50.0
            return step._replace(logits=logits)

    first, then = torch.full((8,), -50.0), torch.zeros(8)
    first[4], first[5] = 0.1, 0.0
    then[:3] = -50.0
    decoder, utterances = Trap(torch.stack([first, then])), acoustics(4)
    search = GreedySearch(LIMITS)
    (((hypothesis,)),) = search(decoder, utterances)
    (score,) = reference_scores(recognizer(search, decoder), utterances, ["e"], [True])
    assert hypothesis.tokens[0] == 4
    assert score is not None
    assert verdict(hypothesis.score, score) == "search_error"


def test_only_what_is_wanted_and_can_be_written_is_scored() -> None:
    utterances, decoder, search = acoustics(9, 3, 5), TinyDecoder(), BeamSearch(beam=2, ctc_weight=0.3)
    texts = ["de", "gfe", "x"]
    scores = reference_scores(recognizer(search, decoder), utterances, texts, [False, True, True])
    assert scores[0] is None
    assert scores[2] is None
    (alone,) = search.score(decoder, utterances.rows([1]), [[7, 6, 5]])
    assert scores[1] == pytest.approx(alone.score, abs=1e-5)
    assert reference_scores(recognizer(search, decoder), utterances, texts, [False] * 3) == [None] * 3
    assert reference_scores(recognizer(object(), decoder), utterances, texts, [True] * 3) == [None] * 3


def test_a_reference_that_ctc_cannot_spell_has_no_score() -> None:
    utterances = Acoustics(
        torch.zeros(1, 2, 3), torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, 2, 8).log_softmax(-1)
    )
    model = recognizer(GreedySearch(), None)
    assert reference_scores(model, utterances, ["dd"], [True]) == [None]
    assert reference_scores(model, utterances, ["de"], [True]) == [
        pytest.approx(2 * torch.tensor(8.0).log().neg().item())
    ]


def test_seconds_that_attention_passed_over() -> None:
    weights = torch.zeros(3, 2, 8)
    weights[0, :, 0] = weights[1, :, 1] = weights[2, :, 6] = 1.0
    assert gap_s(weights, 0.08) == pytest.approx(4 * 0.08)
    assert gap_s(None, 0.08) is None
