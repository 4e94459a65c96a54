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


def by_hand(decoder, heard, most):
    """Greedy search over one utterance as a plain loop."""
    memory = decoder.memory(heard.encoded, heard.mask)
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
    decoder, heard = TinyDecoder(seed=seed), acoustics(9, 3, 12, 1, 7, seed=seed)
    found = GreedySearch(Limits(max_ratio=1.5))(decoder, heard)
    for b, (hypothesis,) in enumerate(found):
        tokens, score, weights = by_hand(decoder, alone(heard, b), -(-3 * int(heard.lengths[b]) // 2))
        assert hypothesis.tokens == tokens
        assert hypothesis.score == pytest.approx(score, abs=1e-4)
        assert hypothesis.score == hypothesis.scores["decoder"]
        torch.testing.assert_close(hypothesis.weights, weights, atol=1e-5, rtol=0)


@torch.no_grad()
def test_given_tokens_score_as_when_they_were_found():
    decoder, heard = TinyDecoder(seed=2), acoustics(9, 3, 12)
    found = [one for (one,) in GreedySearch()(decoder, heard)]
    given = GreedySearch().score(decoder, heard, [one.tokens for one in found])
    assert [one.score for one in given] == pytest.approx([one.score for one in found], abs=1e-4)
    paths = [one for (one,) in GreedySearch()(None, heard)]
    given = GreedySearch().score(None, heard, [one.tokens for one in paths])
    assert [one.score for one in given] == pytest.approx([one.score for one in paths], abs=1e-4)


@pytest.mark.parametrize("tokens", [(), (4,), (4, 4), (5, 4, 5), (6, 6, 6)])
def test_the_best_ctc_path_of_given_tokens_is_the_best_of_all(tokens):
    heard = acoustics(4, seed=len(tokens))
    paths = itertools.product([special.BLANK, 4, 5, 6, 7], repeat=4)
    scores = [
        sum(float(heard.ctc_log_probs[0, t, c]) for t, c in enumerate(path))
        for path in paths
        if collapsed(path) == tokens
    ]
    ((one,),) = [CTCGreedySearch().score(None, heard, [tokens])]
    assert one.score == pytest.approx(max(scores, default=-math.inf), abs=1e-5)


def test_rows_of_a_batch_are_its_utterances():
    heard = acoustics(9, 3, 5)
    picked = heard.rows([2, 1, 2])
    assert picked.encoded.shape[1] == 5
    for row, b in enumerate([2, 1, 2]):
        for one, other in zip(alone(picked, row), alone(heard, b), strict=True):
            assert torch.equal(one, other)
    assert heard._replace(ctc_log_probs=None).rows([0]).ctc_log_probs is None


def test_utterances_of_very_different_length_end_independently():
    lengths = [2, 5, 1, 7, 3, 4, 6, 8]
    found = GreedySearch(Limits(max_ratio=1.0))(never_ends(), acoustics(*lengths))
    assert [len(one.tokens) for (one,) in found] == lengths


def never_ends() -> ScriptedDecoder:
    logits = torch.zeros(1, 8)
    logits[0, 5], logits[0, special.EOS] = 5.0, -50.0
    return ScriptedDecoder(logits)


def test_a_decoder_that_never_ends_stops_at_the_limit():
    ((one,),) = GreedySearch(Limits(max_ratio=9.0, max_length=6))(never_ends(), acoustics(4))
    assert one.tokens == (5,) * 6
    assert one.flags == ("max_length",)
    assert one.weights.shape == (7, 1, 4)


def test_eos_first_is_empty_unless_a_minimum_is_asked_for():
    logits = torch.zeros(1, 8)
    logits[0, special.EOS], logits[0, 6] = 5.0, 1.0
    ((one,),) = GreedySearch()(ScriptedDecoder(logits), acoustics(4))
    assert (one.tokens, one.flags) == ((), ("empty",))
    ((one,),) = GreedySearch(Limits(min_length=2))(ScriptedDecoder(logits), acoustics(4))
    assert (one.tokens, one.flags) == ((6, 6), ())


@pytest.mark.parametrize("logits", [torch.full((1, 8), -torch.inf), torch.tensor([[9.0, 9, 9, -1e9, 0, 0, 0, 0]])])
def test_impossible_and_never_emitted_tokens(logits):
    ((one,),) = GreedySearch(Limits(max_length=3))(ScriptedDecoder(logits), acoustics(4))
    assert all(token >= special.FIRST_TEXT for token in one.tokens)
    assert one.flags
    assert one.score > -torch.inf


def test_nan_names_the_utterance():
    heard = acoustics(4, 5)
    heard.encoded[1, 2, 0] = torch.nan
    with pytest.raises(LasasrError, match="utterance second"):
        GreedySearch()(TinyDecoder(), heard, ids=["first", "second"])


def test_weights_are_left_out_when_not_wanted():
    ((one,),) = GreedySearch(keep_weights=False)(TinyDecoder(), acoustics(4))
    assert one.weights is None


def test_ctc_reads_the_best_path():
    log_probs = torch.full((1, 8, 7), -20.0)
    for t, token in enumerate([0, 4, 4, 0, 4, 5, 5, 6]):
        log_probs[0, t, token] = -0.5
    log_probs[..., special.EOS] = 3.0  # not an id that CTC may emit
    heard = acoustics(8)._replace(ctc_log_probs=log_probs)
    ((one,),) = CTCGreedySearch()(None, heard)
    assert one.tokens == (4, 4, 5, 6)
    assert one.score == pytest.approx(-4.0)
    assert GreedySearch()(None, heard) == [[one]]
    heard = heard._replace(mask=torch.arange(8)[None] < 5)
    assert CTCGreedySearch()(None, heard)[0][0].tokens == (4, 4)


def test_ctc_without_a_head_says_what_to_do():
    with pytest.raises(UsageError, match="search=greedy"):
        CTCGreedySearch()(None, acoustics(3, vocabulary_size=None))


def test_ctc_nan_names_the_utterance():
    heard = acoustics(3, 3)
    heard.ctc_log_probs[1, 1, 5] = torch.nan
    with pytest.raises(LasasrError, match="utterance 1"):
        CTCGreedySearch()(None, heard)


@pytest.mark.parametrize("wrong", [{"max_ratio": 0.0}, {"max_length": 0}, {"min_ratio": -1.0}, {"min_length": -1}])
def test_limits_refuse_nonsense(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Limits(**wrong)
