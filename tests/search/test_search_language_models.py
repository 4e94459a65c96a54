"""Scorers of language: their totals are the models' own, in every batch position, fused, subtracted or rescoring."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from arpa import ARPAModel, spelt
from search_decoders import TinyDecoder, acoustics, alone
from shipped_parts import names
from test_search_variants import V as VARIANTS_V
from test_search_variants import decoder_of
from torch import Tensor

from lasasr.attend.base import Attended, Attention
from lasasr.errors import UsageError
from lasasr.lm.lstm import LSTMLanguageModel
from lasasr.lm.transformer import TransformerLanguageModel
from lasasr.search.base import StepContext
from lasasr.search.beam import BeamSearch
from lasasr.search.ctc_prefix import ctc_log_likelihood
from lasasr.search.limits import Limits
from lasasr.search.lm_scorer import LMScorer, NGramScorer
from lasasr.search.pruning import Pruning
from lasasr.search.rescoring import Rescoring
from lasasr.search.scorer_set import LengthBonus
from lasasr.search.subtraction import InternalLMScorer, Subtraction
from lasasr.text import special

V = 8
CHARACTERS = (*special.NAMES, " ", "a", "b", "c")
PIECES = (*special.NAMES, " a", "b", " b", "a")


def lm_scorer(kind: str = "lstm", seed: int = 5) -> LMScorer:
    torch.manual_seed(seed)
    if kind == "lstm":
        return LMScorer(LSTMLanguageModel(vocabulary_size=V, layers=2, hidden_dim=9, embedding_dim=4).eval())
    return LMScorer(
        TransformerLanguageModel(vocabulary_size=V, layers=2, dim=8, heads=2, feedforward_dim=9, dropout=0.0).eval()
    )


def lm_score(scorer: LMScorer, tokens: Any) -> float:
    row = torch.tensor([list(tokens)], dtype=torch.int64).view(1, -1)
    return -float(scorer.lm.nats(row, torch.tensor([row.shape[1]])))


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
@torch.no_grad()
def test_a_fused_model_scores_as_it_does_alone_in_every_batch_position(kind: str) -> None:
    decoder, scorer, source = TinyDecoder(seed=3), lm_scorer(kind), lm_scorer(seed=9)
    utterances = acoustics(11, 5, 14, 2, 9, seed=3)
    subtract = Subtraction(internal_weight=0.2, lm=source, lm_weight=0.15)
    search = BeamSearch(
        beam=5, nbest=4, ctc_weight=0.3, lm=scorer, lm_weight=0.4, subtract=subtract, limits=Limits(max_ratio=1.0)
    )
    for b, nbest in enumerate(search(decoder, utterances)):
        one_by_one = search(decoder, alone(utterances, b))[0]
        assert [hypothesis.tokens for hypothesis in nbest] == [hypothesis.tokens for hypothesis in one_by_one]
        for hypothesis in nbest:
            assert hypothesis.scores["lm"] == pytest.approx(lm_score(scorer, hypothesis.tokens), abs=1e-4)
            assert hypothesis.scores["source_lm"] == pytest.approx(lm_score(source, hypothesis.tokens), abs=1e-4)
            weights = {"decoder": 0.7, "ctc": 0.3, "lm": 0.4, "internal_lm": -0.2, "source_lm": -0.15}
            assert hypothesis.score == pytest.approx(
                sum(w * hypothesis.scores[name] for name, w in weights.items()), abs=1e-9
            )
        (rescored,) = search.score(decoder, alone(utterances, b), [nbest[0].tokens])
        assert rescored.score == pytest.approx(nbest[0].score, abs=1e-4)


@torch.no_grad()
def test_a_beam_as_wide_as_the_space_finds_what_the_models_together_like_best() -> None:
    decoder, scorer, utterances = TinyDecoder(seed=1), lm_scorer(), acoustics(4, seed=1)
    search = BeamSearch(
        beam=64,
        nbest=8,
        lm=scorer,
        lm_weight=1.5,
        subtract=Subtraction(internal_weight=0.5),
        pruning=Pruning(end_margin=float("inf")),
        limits=Limits(max_length=3),
    )
    space = [y for u in range(4) for y in itertools.product(range(special.FIRST_TEXT, V), repeat=u)]
    silent = acoustics(1)._replace(encoded=torch.zeros(1, 1, 6), mask=torch.ones(1, 1, dtype=torch.bool))
    plain = BeamSearch()

    def together(y: tuple[int, ...]) -> float:
        own, internal = (plain.score(decoder, batch, [y])[0].score for batch in (utterances, silent))
        return own + 1.5 * lm_score(scorer, y) - 0.5 * internal

    ranked = sorted(space, key=lambda y: -together(y))[:8]
    assert [hypothesis.tokens for hypothesis in search(decoder, utterances)[0]] == ranked


class Silence(NamedTuple):
    mask: Tensor  # (B, T)


class SilentAttention(Attention[Any, Any]):
    """Contexts of zero, whatever is asked."""

    def __init__(self, context_dim: int) -> None:
        super().__init__()
        self.context_dim = context_dim

    def memory(self, encoded: Tensor, mask: Tensor) -> Silence:
        return Silence(mask)

    def initial(self, memory: Silence, hypotheses: int) -> Silence:
        return Silence(memory.mask[:, None].expand(-1, hypotheses, -1))

    def forward(self, query: Tensor, memory: Silence, state: Silence) -> Attended[Any]:
        context = query.new_zeros(*query.shape[:2], self.context_dim)
        return Attended(context, state.mask[:, :, None].to(query.dtype), state)


@pytest.mark.parametrize(
    ("spell", "attend"), [*(("lstm", name) for name in names("attend")), ("gru", "location"), ("gru", "gmm")]
)
@torch.no_grad()
def test_the_internal_model_is_the_decoder_with_contexts_of_zero_for_every_attention(spell: str, attend: str) -> None:
    decoder, utterances = decoder_of(spell, attend), acoustics(7, 3, vocabulary_size=VARIANTS_V)
    tokens = torch.tensor([[5, 4, 7, 7, 8, 6, 5, 5, 4], [4, 4, 8, 5, 6, 7, 4, 8, 8]])
    scorer = InternalLMScorer(decoder)
    memory, state = scorer.start(utterances, 1)
    read, log_probs = torch.full((2, 1), special.SOS), []
    for u in range(tokens.shape[1]):
        step = scorer.score(read, memory, state, StepContext())
        assert step.weights is None
        log_probs.append(step.scores[:, 0])
        state, read = step.state, tokens[:, u : u + 1]
    decoder.attention = SilentAttention(decoder.attention.context_dim)
    silent = decoder.memory(utterances.encoded, utterances.mask)
    unrolled = decoder.unroll(
        torch.cat((torch.full((2, 1), special.SOS), tokens[:, :-1]), 1), silent, decoder.initial(silent, 1)
    )
    torch.testing.assert_close(torch.stack(log_probs, 1), unrolled.logits.log_softmax(-1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("pieces", [CHARACTERS, PIECES], ids=["characters", "pieces"])
@pytest.mark.parametrize("pre_beam", [None, 2])
@torch.no_grad()
def test_an_ngram_gives_finished_hypotheses_the_score_of_their_words(pieces: Any, pre_beam: int | None) -> None:
    assert len(words_of_finished(NGramScorer(ARPAModel(), pieces), pre_beam)) > 3


def words_of_finished(scorer: NGramScorer, pre_beam: int | None) -> set[str]:
    """The words of finished hypotheses, each of which has the score of its words, in every batch position."""
    decoder, utterances, words = TinyDecoder(seed=2), acoustics(12, 4, 9, 1, seed=2), ARPAModel()
    search = BeamSearch(beam=6, nbest=6, ctc_weight=0.3, lm=scorer, lm_weight=0.5, pruning=Pruning(pre_beam=pre_beam))
    tested_words = set()
    for b, nbest in enumerate(search(decoder, utterances)):
        for hypothesis in nbest:
            text = "".join(scorer.pieces[token] for token in hypothesis.tokens)
            leading_space = " " not in scorer.pieces
            assert hypothesis.scores["lm"] == pytest.approx(spelt(words, text, leading_space=leading_space), abs=1e-6)
            tested_words.update(text.split())
        assert search(decoder, alone(utterances, b))[0][0].score == pytest.approx(nbest[0].score, abs=1e-4)
    return tested_words


def test_a_piece_with_a_space_inside_is_refused() -> None:
    with pytest.raises(ValueError, match="'a b'"):
        NGramScorer(ARPAModel(), (*special.NAMES, "a b"))


@pytest.mark.parametrize("normalise", [False, True])
@torch.no_grad()
def test_rescoring_ranks_by_the_sum_and_writes_down_its_parts(normalise: bool) -> None:
    decoder, scorer, utterances = TinyDecoder(seed=3), lm_scorer(), acoustics(11, 5, 14, 2, seed=3)
    options: dict[str, Any] = {"beam": 6, "nbest": 6, "normalise": normalise}
    plain = BeamSearch(**options)(decoder, utterances)
    rescore = Rescoring(lm=scorer, lm_weight=2.0, ctc_weight=0.5, decoder_weight=0.25)
    again = BeamSearch(**options, rescore=rescore)
    moved = 0
    for b, (before, after) in enumerate(zip(plain, again(decoder, utterances), strict=True)):
        expected = {}
        for hypothesis in before:
            ctc = max(-1e7, float(ctc_log_likelihood(alone(utterances, b), [hypothesis.tokens])[0]))
            added = 2.0 * lm_score(scorer, hypothesis.tokens) + 0.5 * ctc + 0.25 * hypothesis.scores["decoder"]
            expected[hypothesis.tokens] = hypothesis.score + (
                added / (len(hypothesis.tokens) + 1) if normalise else added
            )
        ranked = sorted(expected, key=lambda tokens: -expected[tokens])
        assert [hypothesis.tokens for hypothesis in after] == ranked
        for hypothesis in after:
            assert hypothesis.score == pytest.approx(expected[hypothesis.tokens], rel=1e-5, abs=1e-3)
            assert {"rescored_lm", "rescored_ctc", "rescored_decoder", "decoder"} <= set(hypothesis.scores)
        assert after[0].weights is not None
        (rescored,) = again.score(decoder, alone(utterances, b), [after[0].tokens])
        assert rescored.score == pytest.approx(after[0].score, rel=1e-5, abs=1e-3)
        moved += ranked[0] != before[0].tokens
    assert moved


def test_a_ctc_search_can_be_rescored_by_the_decoder() -> None:
    decoder, utterances = TinyDecoder(seed=3), acoustics(11, 5, seed=3)
    rescore = Rescoring(decoder_weight=1.0)
    nbests = BeamSearch(beam=6, nbest=3, ctc_weight=1.0, rescore=rescore)(decoder, utterances)
    for nbest in nbests:
        for hypothesis in nbest:
            assert hypothesis.score == pytest.approx(
                hypothesis.scores["ctc"] + hypothesis.scores["rescored_decoder"], abs=1e-6
            )


def test_what_does_not_fit_together_is_said() -> None:
    with pytest.raises(ValueError, match="nbest"):
        BeamSearch(rescore=Rescoring(ctc_weight=0.3))
    with pytest.raises(ValueError, match="no lm"):
        Rescoring(lm_weight=0.1)
    with pytest.raises(ValueError, match="no lm"):
        Subtraction(lm_weight=0.1)
    with pytest.raises(ValueError, match=r"-0\.1"):
        Subtraction(internal_weight=-0.1)
    lm = LengthBonus()
    for given_without_weight in (BeamSearch, Rescoring, Subtraction):
        with pytest.raises(ValueError, match=r"lm_weight=0\.3"):
            given_without_weight(lm=lm)
        given_without_weight(lm=lm, lm_weight=0.0)
    with pytest.raises(UsageError, match=r"search\.lm="):
        BeamSearch(lm_weight=0.3)(TinyDecoder(), acoustics(4))
    with pytest.raises(UsageError, match="internal_weight"):
        BeamSearch(ctc_weight=1.0, subtract=Subtraction(internal_weight=0.1))(None, acoustics(4))


def test_the_shipped_searches_name_every_option_of_language_models() -> None:
    text = (Path(__file__).parents[2] / "configs" / "search" / "_beam.yaml").read_text()
    for key in ("lm:", "lm_weight:", "internal_weight:", "subtract:", "rescore:", "decoder_weight:"):
        assert key in text
