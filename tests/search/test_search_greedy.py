"""Greedy search against a loop that anyone can read, and against decoders whose answer is known."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from search_decoders import ScriptedDecoder, TinyDecoder, acoustics, alone

from lasasr.errors import LasasrError, UsageError
from lasasr.search.ctc_greedy import CTCGreedySearch, collapsed
from lasasr.search.greedy import GreedySearch
from lasasr.search.limits import Limits
from lasasr.text import special


def by_hand(decoder, utterances, most):
    """Greedy search over one utterance as a plain loop."""
    memory = decoder.memory(utterances.encoded, utterances.mask)
    state, tokens, score, weights = decoder.initial(memory, 1), [special.SOS], 0.0, []
    while tokens[-1] != special.EOS:
        step = decoder.step(torch.tensor([[tokens[-1]]]), memory, state)
        state, log_probs = step.state, step.logits[0, 0].log_softmax(-1)
        log_probs[: special.EOS] = -torch.inf
        best = int(log_probs.argmax()) if len(tokens) <= most else special.EOS
        tokens.append(best)
        weights.append(step.weights[0, 0])
        score += float(log_probs[best])
    return tuple(tokens[1:-1]), score, torch.stack(weights)


@pytest.mark.parametrize("seed", range(4))
@torch.no_grad()
def test_every_batch_position_equals_the_plain_loop(seed):
    decoder, utterances = TinyDecoder(seed=seed), acoustics(9, 3, 12, 1, 7, seed=seed)
    results = GreedySearch(Limits(max_ratio=1.5))(decoder, utterances)
    for b, (hypothesis,) in enumerate(results):
        tokens, score, weights = by_hand(decoder, alone(utterances, b), -(-3 * int(utterances.lengths[b]) // 2))
        assert hypothesis.tokens == tokens
        assert hypothesis.score == pytest.approx(score, abs=1e-4)
        assert hypothesis.score == hypothesis.scores["decoder"]
        torch.testing.assert_close(hypothesis.weights, weights, atol=1e-5, rtol=0)


@torch.no_grad()
def test_given_tokens_score_as_when_they_were_found():
    decoder, utterances = TinyDecoder(seed=2), acoustics(9, 3, 12)
    results = [hypothesis for (hypothesis,) in GreedySearch()(decoder, utterances)]
    rescored = GreedySearch().score(decoder, utterances, [hypothesis.tokens for hypothesis in results])
    assert [hypothesis.score for hypothesis in rescored] == pytest.approx(
        [hypothesis.score for hypothesis in results], abs=1e-4
    )
    paths = [hypothesis for (hypothesis,) in GreedySearch()(None, utterances)]
    rescored = GreedySearch().score(None, utterances, [hypothesis.tokens for hypothesis in paths])
    assert [hypothesis.score for hypothesis in rescored] == pytest.approx(
        [hypothesis.score for hypothesis in paths], abs=1e-4
    )


@pytest.mark.parametrize("tokens", [(), (4,), (4, 4), (5, 4, 5), (6, 6, 6)])
def test_the_best_ctc_path_of_given_tokens_is_the_best_of_all(tokens):
    utterances = acoustics(4, seed=len(tokens))
    paths = itertools.product([special.BLANK, 4, 5, 6, 7], repeat=4)
    scores = [
        sum(float(utterances.ctc_log_probs[0, t, c]) for t, c in enumerate(path))
        for path in paths
        if collapsed(path) == tokens
    ]
    ((hypothesis,),) = [CTCGreedySearch().score(None, utterances, [tokens])]
    assert hypothesis.score == pytest.approx(max(scores, default=-math.inf), abs=1e-5)


def test_rows_of_a_batch_are_its_utterances():
    utterances = acoustics(9, 3, 5)
    picked = utterances.rows([2, 1, 2])
    assert picked.encoded.shape[1] == 5
    for row, b in enumerate([2, 1, 2]):
        for leaf, other in zip(alone(picked, row), alone(utterances, b), strict=True):
            assert torch.equal(leaf, other)
    assert utterances._replace(ctc_log_probs=None).rows([0]).ctc_log_probs is None


def test_utterances_of_very_different_length_end_independently():
    lengths = [2, 5, 1, 7, 3, 4, 6, 8]
    results = GreedySearch(Limits(max_ratio=1.0))(never_ends(), acoustics(*lengths))
    assert [len(hypothesis.tokens) for (hypothesis,) in results] == lengths


def never_ends() -> ScriptedDecoder:
    logits = torch.zeros(1, 8)
    logits[0, 5], logits[0, special.EOS] = 5.0, -50.0
    return ScriptedDecoder(logits)


def test_a_decoder_that_never_ends_stops_at_the_limit():
    ((hypothesis,),) = GreedySearch(Limits(max_ratio=9.0, max_length=6))(never_ends(), acoustics(4))
    assert hypothesis.tokens == (5,) * 6
    assert hypothesis.flags == ("max_length",)
    assert hypothesis.weights.shape == (7, 1, 4)


def test_eos_first_is_empty_unless_a_minimum_is_asked_for():
    logits = torch.zeros(1, 8)
    logits[0, special.EOS], logits[0, 6] = 5.0, 1.0
    ((hypothesis,),) = GreedySearch()(ScriptedDecoder(logits), acoustics(4))
    assert (hypothesis.tokens, hypothesis.flags) == ((), ("empty",))
    ((hypothesis,),) = GreedySearch(Limits(min_length=2))(ScriptedDecoder(logits), acoustics(4))
    assert (hypothesis.tokens, hypothesis.flags) == ((6, 6), ())


@pytest.mark.parametrize("logits", [torch.full((1, 8), -torch.inf), torch.tensor([[9.0, 9, 9, -1e9, 0, 0, 0, 0]])])
def test_impossible_and_never_emitted_tokens(logits):
    ((hypothesis,),) = GreedySearch(Limits(max_length=3))(ScriptedDecoder(logits), acoustics(4))
    assert all(token >= special.FIRST_TEXT for token in hypothesis.tokens)
    assert hypothesis.flags
    assert hypothesis.score > -torch.inf


def test_nan_names_the_utterance():
    utterances = acoustics(4, 5)
    utterances.encoded[1, 2, 0] = torch.nan
    with pytest.raises(LasasrError, match="utterance second"):
        GreedySearch()(TinyDecoder(), utterances, ids=["first", "second"])


def test_weights_are_left_out_when_not_wanted():
    ((hypothesis,),) = GreedySearch(keep_weights=False)(TinyDecoder(), acoustics(4))
    assert hypothesis.weights is None


def test_ctc_reads_the_best_path():
    log_probs = torch.full((1, 8, 7), -20.0)
    for t, token in enumerate([0, 4, 4, 0, 4, 5, 5, 6]):
        log_probs[0, t, token] = -0.5
    log_probs[..., special.EOS] = 3.0  # not an id that CTC may emit
    utterances = acoustics(8)._replace(ctc_log_probs=log_probs)
    ((hypothesis,),) = CTCGreedySearch()(None, utterances)
    assert hypothesis.tokens == (4, 4, 5, 6)
    assert hypothesis.score == pytest.approx(-4.0)
    assert GreedySearch()(None, utterances) == [[hypothesis]]
    utterances = utterances._replace(mask=torch.arange(8)[None] < 5)
    assert CTCGreedySearch()(None, utterances)[0][0].tokens == (4, 4)


def test_ctc_without_a_head_says_what_to_do():
    with pytest.raises(UsageError, match="search=greedy"):
        CTCGreedySearch()(None, acoustics(3, vocabulary_size=None))


def test_ctc_nan_names_the_utterance():
    utterances = acoustics(3, 3)
    utterances.ctc_log_probs[1, 1, 5] = torch.nan
    with pytest.raises(LasasrError, match="utterance 1"):
        CTCGreedySearch()(None, utterances)


@pytest.mark.parametrize("wrong", [{"max_ratio": 0.0}, {"max_length": 0}, {"min_ratio": -1.0}, {"min_length": -1}])
def test_limits_refuse_nonsense(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Limits(**wrong)
