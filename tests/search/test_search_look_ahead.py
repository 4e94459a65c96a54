"""Word n-grams with look-ahead: each beginning is worth all words that go on so, a finished text what its words are."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from arpa import ARPA, ARPAModel, spelt
from search_decoders import TinyDecoder, acoustics
from test_search_conformance import broken
from test_search_language_models import words_of_finished

from lasasr.errors import LasasrError
from lasasr.lm import kneser_ney
from lasasr.lm.arpa import BackOffModel
from lasasr.lm.arpa_written import write
from lasasr.models import language_model
from lasasr.models.language_model import scorer as named_scorer
from lasasr.search import lm_scorer
from lasasr.search.base import StepContext
from lasasr.search.beam import BeamSearch
from lasasr.search.limits import Limits
from lasasr.search.lm_scorer import LMScorer, NGramScorer, ShallowFusion, penalised
from lasasr.search.look_ahead import LookAheadScorer
from lasasr.text import special
from lasasr.text.character import CharacterTokenizer
from lasasr.text.phone import PhoneTokenizer
from lasasr.text.sentencepiece import SentencePieceTokenizer

CHARACTERS = (*special.NAMES, " ", "a", "b", "c")
PIECES = (*special.NAMES, " a", "b", " b", "a")
PHONES = (*special.NAMES, " a", " b", " ab", " zh")
UNSPACED = (*special.NAMES, "a", "b", "c")
WORDS = ("a", "ab", "b", "ba")
UNIT = pytest.mark.parametrize("pieces", [CHARACTERS, PIECES], ids=["characters", "pieces"])
EVERY_UNIT = pytest.mark.parametrize(
    ("pieces", "leading_space"),
    [(CHARACTERS, False), (CHARACTERS, True), (PIECES, True), (PHONES, True), (UNSPACED, False)],
    ids=["characters", "short pieces", "pieces", "phones", "unspaced"],
)


@pytest.fixture
def model(tmp_path: Path) -> BackOffModel:
    (tmp_path / "tiny.arpa").write_text(ARPA)
    return BackOffModel(tmp_path / "tiny.arpa")


def scores_of(scorer: NGramScorer, tokens: Sequence[int]) -> torch.Tensor:
    """(len(tokens) + 1, V): what may follow each beginning of a hypothesis."""
    memory, state = scorer.start(acoustics(4), 1)
    steps = []
    for token in (special.SOS, *tokens):
        scored = scorer.score(torch.tensor([[token]]), memory, state, StepContext())
        steps.append(scored.scores[0, 0])
        state = scored.state
    return torch.stack(steps)


def worth(text: str, unknown: float, leading_space: bool) -> float:
    """log p of the whole words of a beginning, times that of all that its last one can become; words by a plain sum."""
    reference = ARPAModel()
    *whole, last = (text.removeprefix(" ") if leading_space else text).split(" ")
    total, context = 0.0, reference.begin()
    for word in whole:
        score, after = reference.word(context, word or "<unk>")
        total += score if word in WORDS else score + unknown
        context = after if word else context
    if not last:
        return total
    going_on = [math.exp(reference.word(context, word)[0]) for word in WORDS if word.startswith(last)]
    return total + math.log(sum(going_on) + math.exp(reference.word(context, "<unk>")[0] + unknown))


@EVERY_UNIT
@pytest.mark.parametrize("unknown", [0.0, -3.0])
def test_every_beginning_has_the_score_of_all_words_that_go_on_so(
    model: BackOffModel, pieces: Sequence[str], leading_space: bool, unknown: float
) -> None:
    scorer = LookAheadScorer(model, pieces, unknown=unknown, leading_space=leading_space)
    for tokens in itertools.product(range(special.FIRST_TEXT, len(pieces)), repeat=4):
        steps = scores_of(scorer, tokens)
        reached = np.cumsum([float(step[token]) for step, token in zip(steps, tokens, strict=False)])
        text = ""
        for total, token in zip(reached, tokens, strict=True):
            text += pieces[token]
            assert total == pytest.approx(worth(text, unknown, leading_space), abs=1e-9), text
        end = spelt(ARPAModel(), text, unknown, leading_space)
        assert reached[-1] + float(steps[-1, special.EOS]) == pytest.approx(end, abs=1e-9)
        assert steps.max() <= 1e-12


@UNIT
@pytest.mark.parametrize("pre_beam", [None, 2])
@torch.no_grad()
def test_finished_hypotheses_have_the_score_of_their_words(
    model: BackOffModel, pieces: Any, pre_beam: int | None
) -> None:
    assert len(words_of_finished(LookAheadScorer(model, pieces), pre_beam)) >= 3


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@UNIT
def test_random_models_score_random_texts_by_the_back_off_rule(
    tmp_path: Path, pieces: Sequence[str], order: int
) -> None:
    generator = random.Random(order)
    vocabulary = ["".join(generator.choices("abc", k=generator.randint(1, 4))) for _ in range(12)]
    sentences = [generator.choices(vocabulary, k=generator.randint(1, 8)) for _ in range(60)]
    write(tmp_path / "random.arpa", kneser_ney.estimate(sentences, order, ["caab"]).ngrams)
    scorer = LookAheadScorer(BackOffModel(tmp_path / "random.arpa"), pieces, unknown=-9.0)
    reference = ARPAModel((tmp_path / "random.arpa").read_text())
    for _ in range(25):
        tokens = [generator.randrange(special.FIRST_TEXT, len(pieces)) for _ in range(generator.randint(1, 14))]
        steps = scores_of(scorer, tokens)
        assert steps.max() <= 1e-9
        total = sum(float(step[token]) for step, token in zip(steps, [*tokens, special.EOS], strict=True))
        text = "".join(pieces[token] for token in tokens)
        assert total == pytest.approx(spelt(reference, text, -9.0, leading_space=" " not in pieces), abs=1e-9)


def test_pieces_of_several_words_are_refused_with_the_file(model: BackOffModel, tmp_path: Path) -> None:
    tokenizer = CharacterTokenizer.train(["ab"])
    tokenizer.tokens = (*special.NAMES, "▁a▁b")
    with pytest.raises(LasasrError, match=r"tiny\.arpa cannot score .*CharacterTokenizer.*only at its beginning"):
        named_scorer(str(tmp_path / "tiny.arpa"), tokenizer)


def test_it_keeps_every_promise(model: BackOffModel) -> None:
    pieces = (*special.NAMES, " ", *"abcdefghij")
    assert broken(lambda weight: ShallowFusion(LookAheadScorer(model, pieces), weight, unknown=-2.0)) == {}


@EVERY_UNIT
def test_all_words_cost_the_same_without_look_ahead(
    model: BackOffModel, pieces: Sequence[str], leading_space: bool
) -> None:
    ahead = LookAheadScorer(model, pieces, unknown=-3.0, leading_space=leading_space)
    behind = NGramScorer(ARPAModel(), pieces, unknown=-3.0, leading_space=leading_space)
    for tokens in itertools.product(range(special.FIRST_TEXT, len(pieces)), repeat=4):
        totals = []
        for scorer in (ahead, behind):
            steps = scores_of(scorer, tokens)
            totals.append(sum(float(steps[u, token]) for u, token in enumerate((*tokens, special.EOS))))
        assert totals[0] == pytest.approx(totals[1], abs=1e-9)


@pytest.mark.parametrize("look_ahead", [True, False], ids=["ahead", "at the ends"])
@torch.no_grad()
def test_a_length_bonus_buys_no_extra_spaces(model: BackOffModel, look_ahead: bool) -> None:
    scorer = LookAheadScorer(model, CHARACTERS) if look_ahead else NGramScorer(ARPAModel(), CHARACTERS)
    bonus = math.log(len(CHARACTERS)) + 0.5  # a token gains half a nat where the decoder has no opinion
    search = BeamSearch(
        beam=4**5,  # all texts
        nbest=8,
        lm=scorer,
        lm_weight=1.0,
        lm_unknown=-8.0,
        length_bonus=bonus,
        temperature=1e9,
        limits=Limits(max_length=5),
    )
    (nbest,) = search(TinyDecoder(seed=2), acoustics(6))
    texts = ["".join(CHARACTERS[token] for token in hypothesis.tokens) for hypothesis in nbest]
    assert [text for text in texts if text != " ".join(text.split())] == []
    assert any(" " in text for text in texts)


@pytest.mark.parametrize("file", ["ARPA", "KenLM"])
def test_the_transcripts_of_every_tokenizer_have_the_score_of_their_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    (tmp_path / "tiny.arpa").write_text(ARPA)
    if file == "KenLM":
        monkeypatch.setattr(language_model, "is_binary", lambda path: True)
        monkeypatch.setattr(language_model, "KenLM", lambda path: ARPAModel())
    texts = ("", "a", "b a ab", "zzz ab")
    pieces = SentencePieceTokenizer.train(
        ["a b z"], vocabulary_size=8
    )  # a letter each: a text begins with a lone space
    assert pieces.tokens[pieces.encode("a")[0]] == "▁"
    for tokenizer in (pieces, CharacterTokenizer.train(texts), PhoneTokenizer.train(texts)):
        scorer = named_scorer(str(tmp_path / "tiny.arpa"), tokenizer)
        assert isinstance(scorer, NGramScorer)
        for text in texts:
            tokens = tokenizer.encode(text)
            steps = scores_of(scorer, tokens)
            total = sum(float(steps[u, token]) for u, token in enumerate((*tokens, special.EOS)))
            assert total == pytest.approx(ARPAModel().sentence(text), abs=1e-9)


def test_what_is_kept_does_not_grow_with_the_text(model: BackOffModel) -> None:
    scorer, generator = LookAheadScorer(model, CHARACTERS), torch.Generator().manual_seed(1)
    for _ in range(30):
        scores_of(scorer, torch.randint(special.FIRST_TEXT, len(CHARACTERS), (40,), generator=generator).tolist())
    beginnings = {word[:length] for word in WORDS for length in range(len(word) + 1)}
    assert len(scorer._partials) <= len(beginnings) + 2  # a space, and that of all unknown words
    assert len(scorer._contexts) <= 1 + 7 + 5  # none, and those that the file has


@pytest.mark.parametrize("look_ahead", [True, False], ids=["ahead", "at the ends"])
def test_what_is_kept_is_bounded_and_searches_that_are_under_way_go_on(
    model: BackOffModel, look_ahead: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def new() -> NGramScorer:  # whose contexts, without look-ahead, are all words so far
        return LookAheadScorer(model, CHARACTERS) if look_ahead else NGramScorer(ARPAModel(), CHARACTERS)

    generator = torch.Generator().manual_seed(1)
    texts = torch.randint(special.FIRST_TEXT, len(CHARACTERS), (40, 20), generator=generator).tolist()
    expected = [scores_of(new(), text) for text in texts]
    monkeypatch.setattr(lm_scorer, "_NUMBERED", 5)
    scorer = new()
    memory, state = scorer.start(acoustics(4), 1)
    slow = [special.SOS, *texts[0]]  # takes a step after each of the other texts
    for step, text in enumerate(texts[1:]):
        if step < len(slow):
            scored = scorer.score(torch.tensor([[slow[step]]]), memory, state, StepContext())
            torch.testing.assert_close(scored.scores[0, 0], expected[0][step])
            state = scored.state
        torch.testing.assert_close(scores_of(scorer, text), expected[1 + step])
        assert max(len(scorer._contexts), len(scorer._partials)) <= 2 * (5 + 1 + len(text)) + 1


def test_what_is_added_for_unknown_words_is_of_n_gram_files_and_no_reward(model: BackOffModel) -> None:
    scorer = LookAheadScorer(model, CHARACTERS)
    search = BeamSearch(lm=scorer, lm_weight=0.5, lm_unknown=-4.0)
    assert isinstance(search.lm, LookAheadScorer)
    assert search.lm.unknown == -4.0
    for wrong in (1.0, -math.inf, math.nan):
        with pytest.raises(ValueError, match="at most 0, and finite"):
            BeamSearch(lm=scorer, lm_weight=0.5, lm_unknown=wrong)
    with pytest.raises(ValueError, match=r"lm_unknown is -4\.0, but no lm is named"):
        BeamSearch(lm_unknown=-4.0)
    with pytest.raises(ValueError, match=r"unknown is -4\.0, but lm is no n-gram file"):
        penalised(LMScorer.__new__(LMScorer), -4.0, "unknown")
