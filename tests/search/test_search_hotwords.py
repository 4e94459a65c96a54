"""A text is worth the boosts of the phrases that occur in it: all texts of a small vocabulary are enumerated."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from search_decoders import TinyDecoder, acoustics
from tiny_recognizer import parts

from lasasr.errors import LasasrError, UsageError
from lasasr.models.hotwords_key import expanded
from lasasr.models.recognizer import Recognizer
from lasasr.search.acoustics import Acoustics
from lasasr.search.beam import BeamSearch
from lasasr.search.hotwords import HotWords
from lasasr.search.limits import Limits
from lasasr.search.rescoring import forced
from lasasr.search.scorer_set import ScorerSet
from lasasr.text import special
from lasasr.text.character import CharacterTokenizer

BOOSTS = {"ab": 3.0, "ab a": 7.0, "a": 1.0, "b ab": 2.5, "bb": -1.5}
CHARACTERS = (*special.NAMES, " ", "a", "b", "c")
PIECES = (*special.NAMES, " a", "b", " ab", "ab", " b")
PHONES = (*special.NAMES, " a", " ab", " b", " bb")


def worth(text: str, boosts: dict[str, float] = BOOSTS) -> float:
    """By the definition: every occurrence of every phrase, between blanks, the beginning and the end."""
    padded = f" {text} "
    return sum(
        boost * sum(padded.startswith(f" {phrase} ", i) for i in range(len(padded))) for phrase, boost in boosts.items()
    )


def scored(scorer: HotWords, sequences: list[tuple[int, ...]], size: int) -> list[float]:
    """The totals of whole sequences, eos included."""
    some = Acoustics(torch.zeros(len(sequences), 2, 3), torch.ones(len(sequences), 2, dtype=torch.bool), None)
    return forced(ScorerSet([(scorer, 1.0)], some, 1, size), sequences)[:, 0].tolist()


@pytest.mark.parametrize(("pieces", "longest"), [(CHARACTERS, 6), (PIECES, 5), (PHONES, 5)])
def test_every_text_is_worth_what_occurs_in_it(pieces: tuple[str, ...], longest: int) -> None:
    tokens = range(special.FIRST_TEXT, len(pieces))
    sequences = [text for length in range(longest + 1) for text in itertools.product(tokens, repeat=length)]
    expected = [worth("".join(pieces[token] for token in text)) for text in sequences]
    assert len(set(expected)) > 10
    totals = scored(HotWords(pieces=pieces, phrases=BOOSTS), sequences, len(pieces))
    assert totals == pytest.approx(expected, abs=1e-9)


def test_a_phrase_pays_as_it_grows_and_what_is_not_finished_is_given_back() -> None:
    scorer = HotWords(pieces=CHARACTERS, phrases={"abc": 6.0})
    some = Acoustics(torch.zeros(1, 2, 3), torch.ones(1, 2, dtype=torch.bool), None)
    _, state = scorer.start(some, 1)
    given = []
    for token in (special.SOS, 5, 6, 7):  # a, b, c
        step = scorer.score(torch.tensor([[token]]), None, state, None)  # type: ignore[arg-type]
        state = step.state
        given.append(step.scores[0, 0])
    assert [float(scores[token]) for scores, token in zip(given, (5, 6, 7), strict=False)] == pytest.approx([1.5] * 3)
    assert float(given[2][5]) == pytest.approx(-3.0)  # aba: two were given, and are taken
    assert float(given[3][4]) == float(given[3][special.EOS]) == pytest.approx(1.5)  # a blank, or the end, completes it
    assert float(given[3][5]) == pytest.approx(-4.5)  # abca is another word


@pytest.mark.parametrize("ctc_weight", [0.0, 0.3])
def test_the_search_finds_what_enumeration_finds_and_scores_it_again_alike(ctc_weight: float) -> None:
    decoder, utterances = TinyDecoder().eval(), acoustics(4, 6)
    scorer = HotWords(pieces=CHARACTERS, phrases=BOOSTS, weight=0.8)
    limits = Limits(max_length=3)
    search = BeamSearch(
        beam=64, nbest=5, ctc_weight=ctc_weight, limits=limits, keep_weights=False, scorers={"hotwords": scorer}
    )
    plain = BeamSearch(beam=64, ctc_weight=ctc_weight, limits=limits, keep_weights=False)
    texts = [text for length in range(4) for text in itertools.product(range(special.FIRST_TEXT, 8), repeat=length)]
    for b, nbest in enumerate(search(decoder, utterances)):
        alone = Acoustics(*(part[b : b + 1] for part in utterances))
        expected = {}
        for text in texts:
            (scored_alone,) = plain.score(decoder, alone, [text])
            expected[text] = scored_alone.score + 0.8 * worth("".join(CHARACTERS[token] for token in text))
        best = sorted(expected, key=lambda text: -expected[text])[:5]
        assert [hypothesis.score for hypothesis in nbest] == pytest.approx([expected[text] for text in best], abs=1e-4)
        assert [hypothesis.tokens for hypothesis in nbest] == best
        for hypothesis in nbest:
            (again,) = search.score(decoder, alone, [hypothesis.tokens])
            assert again.score == pytest.approx(hypothesis.score, abs=1e-5)
            assert hypothesis.scores["hotwords"] == pytest.approx(
                worth("".join(CHARACTERS[token] for token in hypothesis.tokens))
            )


def test_a_bundle_carries_them_and_finds_them_again(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("ab\t4.5\n\nab c\n")
    entry = {"_target_": "lasasr.search.hotwords.HotWords", "_partial_": True, "file": str(file), "weight": 1.0}
    search = {"_target_": "lasasr.search.beam.BeamSearch", "scorers": {"hotwords": entry}}
    torch.manual_seed(0)
    made = Recognizer.build(parts(0.3, search=search), CharacterTokenizer.train(["ab c"]), "none/1").eval()
    made.save(tmp_path / "bundle")
    file.unlink()
    loaded = Recognizer.load(tmp_path / "bundle")
    tokens = loaded.tokenizer.encode("ab c")
    noise = torch.randn(1, 8000, generator=torch.Generator().manual_seed(1))
    heard = loaded.encode_waveforms(noise, torch.tensor([8000]))
    (found,) = loaded.search.score(loaded.model.decoder, heard, [tokens])
    assert found.scores["hotwords"] == pytest.approx(4.5 + 1.0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("\n \n", r"names\.txt holds no phrase"),
        ("ab\tnan\n", r"names\.txt, line 1: boost 'nan' of 'ab' is not finite"),
        ("c\nab\tlots\n", r"names\.txt, line 2: boost 'lots' of 'ab' is not a number"),
    ],
)
def test_a_file_without_phrases_or_with_an_odd_boost_is_named(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text(content)
    with pytest.raises(LasasrError, match=message):
        HotWords(pieces=CHARACTERS, file=str(tmp_path / "names.txt"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no hot word is named"),
        ({"phrases": ["Ab"]}, "phrase 'Ab': no token has 'A'"),
        ({"phrases": [" "]}, "a phrase is empty"),
        ({"phrases": {"a": float("nan")}}, "the boost of 'a' must be a finite number"),
        ({"file": "none.txt"}, "none.txt"),
    ],
)
def test_what_is_wrong_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises((ValueError, LasasrError), match=message):
        HotWords(pieces=CHARACTERS, **options)  # type: ignore[arg-type]


def test_what_the_search_supplies_cannot_be_set() -> None:
    entry = {"_target_": "lasasr.search.hotwords.HotWords", "_partial_": True, "phrases": ["a"], "pieces": ["x"]}
    search = {"_target_": "lasasr.search.beam.BeamSearch", "scorers": {"hotwords": entry}}
    with pytest.raises(UsageError, match=r"search\.scorers\.hotwords\.pieces cannot be set"):
        Recognizer.build(parts(0.3, search=search), CharacterTokenizer.train(["ab c"]), "none/1")


ENTRY = {"_target_": "lasasr.search.hotwords.HotWords", "_partial_": True, "weight": 1.0}
BEAM = {"_target_": "lasasr.search.beam.BeamSearch", "beam": 4}


@pytest.mark.parametrize("phrases", [["ab", "ab c"], {"ab": 4.5, "c": -1.0}])
def test_the_short_key_does_what_the_entry_does(phrases: list[str] | dict[str, float]) -> None:
    tokenizer = CharacterTokenizer.train(["ab c"])
    patient = {"_target_": "lasasr.search.pruning.Pruning", "end_patience": 10}
    long = {**BEAM, "scorers": {"hotwords": {**ENTRY, "phrases": phrases}}, "pruning": patient}
    noise, lengths = torch.randn(2, 8000, generator=torch.Generator().manual_seed(1)), torch.tensor([8000, 6000])
    hypotheses = []
    for search in (long, {**BEAM, "hotwords": phrases}, {**long, "hotwords": phrases}):
        torch.manual_seed(0)
        recognizer = Recognizer.build(parts(0.3, search=search), tokenizer, "none/1").eval()
        assert recognizer.search.pruning.end_patience == 10
        found = recognizer.recognize(noise, lengths)
        hypotheses.append([(nbest[0].tokens, nbest[0].score, nbest[0].scores) for nbest in found])
    assert hypotheses[0] == hypotheses[1] == hypotheses[2]
    assert "hotwords" in hypotheses[0][0][2]


def test_the_short_key_keeps_a_patience_of_ones_own_and_the_other_scorers() -> None:
    length = {"_target_": "lasasr.search.scorer_set.LengthBonus", "weight": 0.5}
    pruning = {"_target_": "lasasr.search.pruning.Pruning", "end_patience": 3, "end_margin": 1.0}
    search = expanded({**BEAM, "hotwords": ["a"], "scorers": {"length": length}, "pruning": pruning})
    assert search["pruning"] == pruning
    assert search["scorers"] == {"length": length, "hotwords": {**ENTRY, "phrases": ["a"]}}
    assert expanded({**BEAM, "hotwords": None}) == {**BEAM, "hotwords": None}


@pytest.mark.parametrize("entry", [{"phrases": ["b"]}, {"phrases": ["a"], "weight": 2.0}, {"file": "names.txt"}])
def test_a_short_key_and_an_entry_that_differ_are_refused(entry: dict[str, object]) -> None:
    search = {**BEAM, "hotwords": ["a"], "scorers": {"hotwords": {**ENTRY, **entry}}}
    message = r"search\.hotwords is \['a'\], but search\.scorers\.hotwords is given too and differs"
    with pytest.raises(UsageError, match=message):
        Recognizer.build(parts(0.3, search=search), CharacterTokenizer.train(["ab c"]), "none/1")


def test_in_python_the_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="hotwords are a key of configurations"):
        BeamSearch(hotwords=["a"])
