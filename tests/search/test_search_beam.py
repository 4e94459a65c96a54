"""Beam search against exhaustive search, greedy search, the model's own scores and decoders whose answer is known."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import pytest
import torch
from search_decoders import ScriptedDecoder, TinyDecoder, acoustics, alone
from torch import Tensor

from lasasr.errors import LasasrError, UsageError
from lasasr.search.base import Scored, Scorer
from lasasr.search.beam import BeamSearch
from lasasr.search.ctc_prefix import ctc_log_likelihood
from lasasr.search.greedy import GreedySearch
from lasasr.search.limits import Limits
from lasasr.search.pruning import Pruning
from lasasr.search.scorer_set import GNMTCoverage, ThresholdCoverage
from lasasr.text import special

V = 8
EVERY_LAST = Pruning(end_margin=float("inf"))


class Before(NamedTuple):
    token: Tensor  # (B, K): the token before the last


class Table(NamedTuple):
    scores: Tensor  # (B, V, V, V)


class TrigramScorer(Scorer):
    """log p(token | the two tokens before), from a table: a language model whose state must follow the hypotheses."""

    name = "lm"

    def __init__(self, partial: bool = False) -> None:
        self.partial = partial
        self.table = torch.randn(V, V, V, generator=torch.Generator().manual_seed(5)).log_softmax(-1)

    def start(self, acoustics, hypotheses):
        B = len(acoustics.mask)
        return Table(self.table.expand(B, V, V, V)), Before(torch.full((B, hypotheses), special.PAD))

    def score(self, tokens, memory, state, context):
        scores = self.table[state.token, tokens]
        if self.partial and context.candidates is not None:
            scores = scores.gather(2, context.candidates)
        return Scored(scores, Before(tokens))

    def of(self, tokens):
        """The score of whole tokens with their eos."""
        read = [special.PAD, special.SOS, *tokens, special.EOS]
        return sum(float(self.table[a, b, c]) for a, b, c in zip(read, read[1:], read[2:], strict=False))


def decoder_score(decoder, utterances, tokens):
    """log p(tokens, eos) by the decoder's training loop, one utterance, one hypothesis."""
    memory = decoder.memory(utterances.encoded, utterances.mask)
    unrolled = decoder.unroll(torch.tensor([[special.SOS, *tokens]]), memory, decoder.initial(memory, 1))
    log_probs = unrolled.logits[0].log_softmax(-1)
    return float(sum(log_probs[u, token] for u, token in enumerate([*tokens, special.EOS]))), unrolled.weights[0]


def expected_scores(decoder, utterances, tokens, lm=None):
    """What each scorer must have given, by other means."""
    expected = {"decoder": decoder_score(decoder, utterances, tokens)[0]}
    if utterances.ctc_log_probs is not None:
        expected["ctc"] = float(ctc_log_likelihood(utterances, [tokens])[0])
    if lm is not None:
        expected["lm"] = lm.of(tokens)
    return {**expected, "length": len(tokens) + 1.0}


SEARCHES = {
    "attention": {},
    "joint": {"ctc_weight": 0.3},
    "ctc": {"ctc_weight": 1.0},
    "everything": {"ctc_weight": 0.4, "lm_weight": 0.5, "length_bonus": 0.3},
}
WEIGHTS = {
    "attention": {"decoder": 1.0},
    "joint": {"decoder": 0.7, "ctc": 0.3},
    "ctc": {"ctc": 1.0},
    "everything": {"decoder": 0.6, "ctc": 0.4, "lm": 0.5, "length": 0.3},
}


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("seed", [0, 1])
@torch.no_grad()
def test_a_beam_as_wide_as_the_space_is_exhaustive_search(name, seed):
    decoder, lm = TinyDecoder(seed=seed), TrigramScorer()
    utterances = acoustics(4, 6, seed=seed)
    search = BeamSearch(beam=64, nbest=12, pruning=EVERY_LAST, limits=Limits(max_length=3), **SEARCHES[name])
    results = search(decoder, utterances, lm=lm)
    space = [y for u in range(4) for y in itertools.product(range(special.FIRST_TEXT, V), repeat=u)]
    for b, nbest in enumerate(results):
        scores = {y: expected_scores(decoder, alone(utterances, b), y, lm) for y in space}
        ranked = {y: sum(w * scores[y][key] for key, w in WEIGHTS[name].items()) for y in space}
        best = sorted(space, key=lambda y: -ranked[y])[:12]
        assert [hypothesis.tokens for hypothesis in nbest] == best
        assert [hypothesis.score for hypothesis in nbest] == pytest.approx([ranked[y] for y in best], abs=1e-4)


@pytest.mark.parametrize("name", SEARCHES)
@torch.no_grad()
def test_every_score_is_the_models_own_and_does_not_depend_on_the_batch(name):
    decoder, lm = TinyDecoder(seed=3), TrigramScorer()
    utterances = acoustics(11, 5, 14, 2, 9, seed=3)
    search = BeamSearch(beam=5, nbest=5, limits=Limits(max_ratio=1.0), **SEARCHES[name])
    for b, nbest in enumerate(search(decoder, utterances, lm=lm)):
        one_by_one = search(decoder, alone(utterances, b), lm=lm)[0]
        assert [hypothesis.tokens for hypothesis in nbest] == [hypothesis.tokens for hypothesis in one_by_one]
        assert [hypothesis.score for hypothesis in nbest] == pytest.approx(
            [hypothesis.score for hypothesis in one_by_one], abs=1e-4
        )
        assert [hypothesis.score for hypothesis in nbest] == sorted(
            [hypothesis.score for hypothesis in nbest], reverse=True
        )
        assert len({hypothesis.tokens for hypothesis in nbest}) == len(nbest)
        for hypothesis in nbest:
            assert all(special.FIRST_TEXT <= token < V for token in hypothesis.tokens)
            expected = expected_scores(decoder, alone(utterances, b), hypothesis.tokens, lm)
            if expected["ctc"] > -600.0 or name == "attention":  # otherwise the frames cannot spell it
                assert hypothesis.scores == pytest.approx({key: expected[key] for key in WEIGHTS[name]}, abs=1e-4)
            assert hypothesis.score == pytest.approx(
                sum(w * hypothesis.scores[key] for key, w in WEIGHTS[name].items()), abs=1e-9
            )


@torch.no_grad()
def test_given_tokens_score_as_when_they_were_found():
    decoder, lm, utterances = TinyDecoder(seed=3), TrigramScorer(), acoustics(11, 5, 14)
    for options in ({"coverage": GNMTCoverage()}, {"coverage": ThresholdCoverage(), "normalise": True}):
        search = BeamSearch(**SEARCHES["everything"], coverage_weight=0.2, **options)
        results = [nbest[0] for nbest in search(decoder, utterances, lm=lm)]
        rescored = search.score(decoder, utterances, [hypothesis.tokens for hypothesis in results], lm=lm)
        for hypothesis, other in zip(results, rescored, strict=True):
            assert hypothesis.tokens == other.tokens
            assert hypothesis.score == pytest.approx(other.score, abs=1e-4)
            assert hypothesis.scores == pytest.approx(other.scores, abs=1e-4)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@torch.no_grad()
def test_the_gpu_finds_the_same():
    decoder, utterances = TinyDecoder(seed=3), acoustics(11, 5, 14, 2, 9, seed=3)
    on_device = type(utterances)(*[leaf.cuda() for leaf in utterances])
    for options in (SEARCHES["attention"], SEARCHES["joint"], {"coverage": GNMTCoverage(), "coverage_weight": 0.2}):
        search = BeamSearch(beam=5, nbest=3, limits=Limits(max_ratio=1.0), **options)
        on_cpu, on_gpu = search(decoder.cpu(), utterances), search(decoder.cuda(), on_device)
        for nbest, other_nbest in zip(on_cpu, on_gpu, strict=True):
            assert [hypothesis.tokens for hypothesis in nbest] == [hypothesis.tokens for hypothesis in other_nbest]
            assert [hypothesis.score for hypothesis in nbest] == pytest.approx(
                [hypothesis.score for hypothesis in other_nbest], abs=1e-3
            )
        greedy = GreedySearch(Limits(max_ratio=1.0))
        assert greedy(decoder.cpu(), utterances)[0][0].tokens == greedy(decoder.cuda(), on_device)[0][0].tokens


@torch.no_grad()
def test_the_best_hypothesis_carries_its_weights():
    decoder, utterances = TinyDecoder(seed=1), acoustics(7, 10)
    results = BeamSearch(beam=3, nbest=2, ctc_weight=0.3)(decoder, utterances)
    for b, (best, second) in enumerate(results):
        _, weights = decoder_score(decoder, alone(utterances, b), best.tokens)
        torch.testing.assert_close(best.weights, weights, atol=1e-5, rtol=0)
        assert second.weights is None
    assert BeamSearch(keep_weights=False)(decoder, utterances)[0][0].weights is None


@pytest.mark.parametrize("seed", range(6))
@torch.no_grad()
def test_beam_one_is_greedy(seed):
    decoder, utterances = TinyDecoder(seed=seed), acoustics(9, 3, 12, 1, 7, seed=seed)
    limits = Limits(max_ratio=1.5, min_length=seed % 3)
    greedy, beam = GreedySearch(limits)(decoder, utterances), BeamSearch(beam=1, limits=limits)(decoder, utterances)
    for (hypothesis,), (other,) in zip(greedy, beam, strict=True):
        assert (hypothesis.tokens, hypothesis.flags) == (other.tokens, other.flags)
        assert hypothesis.score == pytest.approx(other.score, abs=1e-5)


def scripted(**logits: float) -> ScriptedDecoder:
    row = torch.zeros(1, V)
    for name, value in logits.items():
        row[0, {"eos": special.EOS}.get(name) or int(name[1:])] = value
    return ScriptedDecoder(row)


@pytest.mark.parametrize("beam", [1, 4])
def test_a_decoder_that_never_ends_stops_at_the_limit(beam):
    results = BeamSearch(beam=beam, limits=Limits(max_ratio=1.0))(scripted(t5=5.0, eos=-torch.inf), acoustics(6, 2, 4))
    assert [hypothesis[0].tokens for hypothesis in results] == [(5,) * 6, (5,) * 2, (5,) * 4]
    assert all(hypothesis[0].flags == ("max_length",) and hypothesis[0].score > -torch.inf for hypothesis in results)


def test_eos_first_is_empty_unless_a_minimum_is_asked_for():
    decoder = scripted(eos=5.0, t6=1.0)
    assert BeamSearch()(decoder, acoustics(4))[0][0].flags == ("empty",)
    ((hypothesis,),) = BeamSearch(limits=Limits(min_length=2))(decoder, acoustics(4))
    assert (hypothesis.tokens, hypothesis.flags) == ((6, 6), ())


def test_a_finished_utterance_does_not_change_while_others_go_on():
    logits = torch.zeros(3, V)
    logits[0, 5] = logits[2, 5] = 9.0
    logits[1, special.EOS] = 3.0
    # later tokens would gain by the bonus, but the utterance ends before them
    limits, pruning = Limits(min_ratio=0.5, max_ratio=4.0), Pruning(end_patience=1)
    search = BeamSearch(length_bonus=2.0, limits=limits, pruning=pruning)
    alone, *_ = search(ScriptedDecoder(logits), acoustics(2))[0]
    together = [nbest[0] for nbest in search(ScriptedDecoder(logits), acoustics(2, 8, 8, 8, 8))]
    assert alone.tokens == together[0].tokens == (5,)
    assert together[0].score == pytest.approx(alone.score)
    assert all(len(hypothesis.tokens) >= 4 for hypothesis in together[1:])


def test_ties_go_to_the_smaller_ids():
    limits = Limits(min_length=2, max_length=2)
    (nbest,) = BeamSearch(beam=5, nbest=5, limits=limits)(scripted(), acoustics(4))
    assert [hypothesis.tokens for hypothesis in nbest] == [(4, 4), (4, 5), (4, 6), (4, 7), (5, 4)]
    assert BeamSearch(limits=limits)(scripted(), acoustics(4))[0][0].flags == ("near_tie",)


@pytest.mark.parametrize("row", [torch.full((1, V), -torch.inf), torch.tensor([[9.0, 9, 9, -1e9, 0, 0, 0, 0]])])
@pytest.mark.parametrize("ctc_weight", [0.0, 0.3])
def test_impossible_and_never_emitted_tokens(row, ctc_weight):
    utterances = acoustics(4)
    utterances.ctc_log_probs[:] = row
    search = BeamSearch(beam=4, nbest=4, ctc_weight=ctc_weight, limits=Limits(max_length=3), pruning=EVERY_LAST)
    (nbest,) = search(ScriptedDecoder(row), utterances)
    for hypothesis in nbest:
        assert all(token >= special.FIRST_TEXT for token in hypothesis.tokens)
        assert -torch.inf < hypothesis.score < torch.inf
    assert nbest[0].flags or ctc_weight


@pytest.mark.parametrize("ctc_weight", [0.0, 0.3, 1.0])
def test_nan_names_the_utterance(ctc_weight):
    utterances = acoustics(4, 5, 3)
    utterances.encoded[1, 2, 0] = torch.nan
    utterances.ctc_log_probs[1, 2, 5] = torch.nan
    with pytest.raises(LasasrError, match="utterance second"):
        BeamSearch(ctc_weight=ctc_weight)(TinyDecoder(), utterances, ids=["first", "second", "third"])


def test_what_is_not_there_is_asked_for_in_vain():
    utterances = acoustics(4, vocabulary_size=None)
    with pytest.raises(UsageError, match="no CTC head"):
        BeamSearch(ctc_weight=0.3)(TinyDecoder(), utterances)
    with pytest.raises(UsageError, match="no decoder"):
        BeamSearch(ctc_weight=0.3)(None, acoustics(4))
    with pytest.raises(UsageError, match="no language model"):
        BeamSearch(lm_weight=0.3)(TinyDecoder(), utterances)
    with pytest.raises(UsageError, match="coverage_weight"):
        BeamSearch(ctc_weight=1.0, coverage=ThresholdCoverage(), coverage_weight=1.0)(None, acoustics(4))
    with pytest.raises(UsageError, match="max_shift"):
        BeamSearch(ctc_weight=1.0, pruning=Pruning(max_shift=3))(None, acoustics(4))


def test_a_model_without_decoder_is_searched_by_ctc_alone():
    utterances = acoustics(5, 8)
    search = BeamSearch(ctc_weight=1.0, nbest=3)
    assert search(None, utterances) == search(TinyDecoder(), utterances)


@torch.no_grad()
def test_normalisation_ranks_by_the_score_per_token():
    decoder, utterances = TinyDecoder(seed=2), acoustics(6)
    search = BeamSearch(beam=64, nbest=20, normalise=True, pruning=EVERY_LAST, limits=Limits(max_length=3))
    for hypothesis in search(decoder, utterances)[0]:
        assert hypothesis.score == pytest.approx(hypothesis.scores["decoder"] / (len(hypothesis.tokens) + 1))
    best = search(decoder, utterances)[0][0]
    space = [y for u in range(4) for y in itertools.product(range(special.FIRST_TEXT, V), repeat=u)]
    assert best.tokens == max(space, key=lambda y: decoder_score(decoder, utterances, y)[0] / (len(y) + 1))


@torch.no_grad()
def test_temperature_divides_the_logits():
    decoder, hotter = TinyDecoder(sharpness=3.0), TinyDecoder(sharpness=1.5)
    warm = BeamSearch(temperature=2.0)(decoder, acoustics(8))[0][0]
    assert warm.score == pytest.approx(BeamSearch()(hotter, acoustics(8))[0][0].score, abs=1e-5)


@torch.no_grad()
def test_coverage_is_what_the_weights_say():
    decoder, utterances = TinyDecoder(seed=4), acoustics(9, 5)
    common = {"coverage_weight": 0.5, "limits": Limits(min_length=2)}
    for b, (hypothesis,) in enumerate(BeamSearch(coverage=ThresholdCoverage(0.3), **common)(decoder, utterances)):
        got = decoder_score(decoder, alone(utterances, b), hypothesis.tokens)[1].mean(1).sum(0)
        assert hypothesis.scores["coverage"] == int((got > 0.3).sum())
    for b, (hypothesis,) in enumerate(BeamSearch(coverage=GNMTCoverage(0.05), **common)(decoder, utterances)):
        got = decoder_score(decoder, alone(utterances, b), hypothesis.tokens)[1].mean(1).sum(0)
        assert hypothesis.scores["coverage"] == pytest.approx(float(got.clamp(0.05, 1.0).log().sum()), abs=1e-4)
        assert hypothesis.score == pytest.approx(
            hypothesis.scores["decoder"] + 0.5 * hypothesis.scores["coverage"], abs=1e-6
        )


@torch.no_grad()
def test_a_pre_beam_of_all_tokens_changes_nothing_and_of_one_follows_the_decoder():
    decoder, utterances = TinyDecoder(seed=6), acoustics(9, 5, seed=6)
    joint = {"beam": 4, "nbest": 4, "ctc_weight": 0.3, "lm_weight": 0.5}
    free = BeamSearch(**joint)(decoder, utterances, lm=TrigramScorer())
    for partial in (True, False):
        results = BeamSearch(**joint, pruning=Pruning(pre_beam=4))(decoder, utterances, lm=TrigramScorer(partial))
        for nbest, other_nbest in zip(results, free, strict=True):
            assert [hypothesis.tokens for hypothesis in nbest] == [hypothesis.tokens for hypothesis in other_nbest]
            assert [hypothesis.score for hypothesis in nbest] == pytest.approx(
                [hypothesis.score for hypothesis in other_nbest], abs=1e-9
            )
    only = BeamSearch(beam=4, pruning=Pruning(pre_beam=1), limits=Limits(min_length=4))(decoder, utterances)
    greedy = GreedySearch(Limits(min_length=99, max_ratio=2.0))(decoder, utterances)
    for (hypothesis,), (path,) in zip(only, greedy, strict=True):
        assert hypothesis.tokens == path.tokens[: len(hypothesis.tokens)]


def test_eos_threshold_holds_back_a_doubtful_eos():
    decoder = scripted(eos=1.0, t6=1.2)  # -1.64 and -1.44
    assert BeamSearch()(decoder, acoustics(4))[0][0].tokens == ()
    ((hypothesis,),) = BeamSearch(pruning=Pruning(eos_threshold=1.05))(decoder, acoustics(2))
    assert hypothesis.flags == ("max_length",)
    ((hypothesis,),) = BeamSearch(pruning=Pruning(eos_threshold=1.5))(decoder, acoustics(2))
    assert hypothesis.tokens == ()


class JumpingDecoder(ScriptedDecoder):
    """Hypotheses that read token 5 look at the last frame, all others at the first."""

    def step(self, tokens, memory, state):
        step = super().step(tokens, memory, state)
        weights = torch.zeros_like(step.weights)
        weights[..., -1] = (tokens == 5).float()[..., None]
        weights[..., 0] = (tokens != 5).float()[..., None]
        return step._replace(weights=weights)


def test_attention_may_not_jump_further_than_allowed():
    logits = torch.full((3, V), -9.0)
    logits[:2, 5], logits[:2, 6], logits[2, special.EOS] = 1.0, 0.5, 9.0
    decoder = JumpingDecoder(logits)
    assert BeamSearch(beam=4)(decoder, acoustics(8))[0][0].tokens == (5, 5)
    assert BeamSearch(beam=4, pruning=Pruning(max_shift=6))(decoder, acoustics(8))[0][0].tokens == (6, 6)
    assert BeamSearch(beam=4, pruning=Pruning(max_shift=7))(decoder, acoustics(8))[0][0].tokens == (5, 5)
    assert BeamSearch(beam=1, pruning=Pruning(max_shift=6))(decoder, acoustics(8))[0][0].tokens == (5, 5)


@torch.no_grad()
def test_a_window_leaves_finished_scores_exact():
    decoder, utterances = TinyDecoder(seed=7), acoustics(12, 9)
    results = BeamSearch(ctc_weight=0.3, pruning=Pruning(ctc_window=2))(decoder, utterances)
    for b, (hypothesis,) in enumerate(results):
        assert hypothesis.scores["ctc"] == pytest.approx(
            float(ctc_log_likelihood(alone(utterances, b), [hypothesis.tokens])[0]), abs=1e-6
        )


def test_memory_is_never_copied_per_hypothesis():
    reads = []

    class Watching(TinyDecoder):
        def step(self, tokens, memory, state):
            reads.append((memory.attention.encoded.shape[0], memory.attention.encoded.data_ptr()))
            return super().step(tokens, memory, state)

    BeamSearch(beam=7, keep_weights=False, limits=Limits(min_length=5))(Watching(), acoustics(6))
    assert len(reads) > 5
    assert set(reads) == {(1, reads[0][1])}


@pytest.mark.parametrize(
    "wrong", [{"nbest": 0}, {"nbest": 11}, {"ctc_weight": 1.5}, {"temperature": 0.0}, {"coverage_weight": 1.0}]
)
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        BeamSearch(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"eos_threshold": -1.0}, {"max_shift": -1}, {"pre_beam": 0}, {"ctc_window": -1}, {"end_margin": -1.0}]
)
def test_pruning_refuses_nonsense(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Pruning(**wrong)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_finite_number_is_refused_by_name(value):
    for name in ("length_bonus", "lm_weight", "coverage_weight", "temperature", "ctc_weight"):
        with pytest.raises(ValueError, match=f"{name} must be .*got {value}"):
            BeamSearch(**{name: value})
    with pytest.raises(ValueError, match="end_margin must be >= 0, got 0 and nan"):
        Pruning(end_margin=float("nan"))
