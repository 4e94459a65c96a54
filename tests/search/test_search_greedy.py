"""Greedy search against a loop that anyone can read, and against decoders whose answer is known."""

from __future__ import annotations

import pytest
import torch
from search_decoders import ScriptedDecoder, TinyDecoder, acoustics, alone

from lasasr import special
from lasasr.errors import LasasrError, UsageError
from lasasr.search.ctc_greedy import CTCGreedySearch
from lasasr.search.greedy import GreedySearch
from lasasr.search.limits import Limits


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
