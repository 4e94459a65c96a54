"""Scorers by name: one's own against brute force, and those that older keys are short for against these keys."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import yaml
from search_decoders import TinyDecoder, acoustics, alone
from tiny_recognizer import parts
from torch import Tensor

from lasasr.errors import LasasrError, UsageError
from lasasr.models import language_model, search_parts
from lasasr.models.parts import LanguageParts
from lasasr.models.recognizer import Recognizer
from lasasr.search import conformance
from lasasr.search.acoustics import Acoustics
from lasasr.search.base import Scored, Scorer, Stateless, StepContext
from lasasr.search.beam import BeamSearch
from lasasr.search.ctc_prefix import CTCPrefixScorer
from lasasr.search.hypothesis import Hypothesis
from lasasr.search.limits import Limits
from lasasr.search.pruning import Pruning
from lasasr.search.rescoring import teacher_forced
from lasasr.search.scorer_set import GNMTCoverage, LengthBonus, ThresholdCoverage
from lasasr.text import special
from lasasr.text.character import CharacterTokenizer

V, FAVOURED = 8, 6
LIMITS = Limits(max_length=3)
EVERY_LAST = Pruning(end_margin=float("inf"))


class Favouring(Scorer):
    """1 for one token."""

    def __init__(self, token: int = FAVOURED, weight: float | None = None) -> None:
        self.token, self.weight = token, weight

    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        return Stateless(), Stateless()

    def score(self, tokens: Tensor, memory: Any, state: Any, context: StepContext) -> Scored:
        scores = torch.zeros(V)
        scores[self.token] = 1.0
        return Scored(scores, state)


class Last(NamedTuple):
    token: Tensor  # (B, K) int64


class Alternating(Scorer):
    """1 for a token that is not the one before: its state follows the hypotheses."""

    name = "lm"
    weight = 0.7

    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        return Stateless(), Last(torch.full((len(acoustics.mask), hypotheses), special.SOS))

    def score(self, tokens: Tensor, memory: Any, state: Last, context: StepContext) -> Scored:
        return Scored((torch.arange(V) != tokens[..., None]).double(), Last(tokens))


class Listed(Favouring):
    """The token that a file names."""

    def __init__(self, file: str, weight: float | None = None) -> None:
        super().__init__(int(Path(file).read_text()), weight)


def _texts() -> list[tuple[int, ...]]:
    text = range(special.FIRST_TEXT, V)
    return [tokens for length in range(4) for tokens in itertools.product(text, repeat=length)]


def _favoured(tokens: tuple[int, ...]) -> float:
    return float(tokens.count(FAVOURED))


def _alternates(tokens: tuple[int, ...]) -> float:
    read = (special.SOS, *tokens, special.EOS)
    return float(sum(a != b for a, b in itertools.pairwise(read)))


@pytest.mark.parametrize(("scorer", "expected"), [(Favouring(weight=4.0), _favoured), (Alternating(), _alternates)])
@pytest.mark.parametrize("seed", range(3))
def test_ones_own_scorer_counts_as_brute_force_says(scorer: Scorer, expected: Any, seed: int) -> None:
    decoder, utterances = TinyDecoder(vocabulary_size=V, seed=seed).eval(), acoustics(7, 5, seed=seed)
    search = BeamSearch(len(_texts()), limits=LIMITS, pruning=EVERY_LAST, scorers={"mine": scorer})
    plain = BeamSearch(len(_texts()), limits=LIMITS, pruning=EVERY_LAST)
    results, without = search(decoder, utterances), plain(decoder, utterances)
    assert scorer.weight is not None
    for b in range(2):
        rows = utterances.rows([b] * len(_texts()))
        alone_score = teacher_forced(decoder, rows, _texts())[0].tolist()
        totals = {text: s + scorer.weight * expected(text) for text, s in zip(_texts(), alone_score, strict=True)}
        best = max(totals, key=lambda text: totals[text])
        assert results[b][0].tokens == best
        assert results[b][0].score == pytest.approx(totals[best], abs=1e-4)
        assert results[b][0].scores["mine"] == pytest.approx(expected(best))
        if isinstance(scorer, Favouring):
            assert results[b][0].tokens != without[b][0].tokens


@pytest.mark.parametrize(
    "scorers", [{"mine": Favouring(weight=0.8), "too": Alternating()}, {"ctc": CTCPrefixScorer(weight=0.4)}]
)
def test_alone_is_as_in_a_batch(scorers: dict[str, Scorer]) -> None:
    decoder, utterances = TinyDecoder(vocabulary_size=V).eval(), acoustics(9, 4, 6)
    search = BeamSearch(4, 3, limits=Limits(max_length=6), scorers=scorers)
    for b, nbest in enumerate(search(decoder, utterances)):
        (by_itself,) = search(decoder, alone(utterances, b))
        _same(by_itself, nbest)


def _same(ours: list[Hypothesis], theirs: list[Hypothesis]) -> None:
    assert [hypothesis.tokens for hypothesis in ours] == [hypothesis.tokens for hypothesis in theirs]
    for hypothesis, other in zip(ours, theirs, strict=True):
        assert hypothesis.score == pytest.approx(other.score, abs=1e-5)
        assert hypothesis.scores == pytest.approx(other.scores, abs=1e-5)


@pytest.mark.parametrize(
    ("entries", "short"),
    [
        ({"ctc": CTCPrefixScorer(weight=0.3)}, {"ctc_weight": 0.3}),
        ({"ctc": CTCPrefixScorer(2, weight=0.3)}, {"ctc_weight": 0.3, "pruning": Pruning(ctc_window=2)}),
        ({"length": LengthBonus(0.6)}, {"length_bonus": 0.6}),
        ({"coverage": ThresholdCoverage(0.2, 0.9)}, {"coverage": ThresholdCoverage(0.2), "coverage_weight": 0.9}),
        ({"coverage": GNMTCoverage(weight=0.9)}, {"coverage": GNMTCoverage(), "coverage_weight": 0.9}),
        ({"lm": Alternating()}, {"lm": Alternating(), "lm_weight": 0.7}),
    ],
)
def test_a_short_key_is_an_entry(entries: dict[str, Scorer], short: dict[str, Any]) -> None:
    decoder, utterances = TinyDecoder(vocabulary_size=V).eval(), acoustics(9, 4)
    usual = {"coverage": ThresholdCoverage(0.5)}  # what configs/search sets, for a weight of 0
    results = [
        BeamSearch(4, 3, limits=LIMITS, **(usual | how))(decoder, utterances) for how in ({"scorers": entries}, short)
    ]
    for ours, theirs in zip(*results, strict=True):
        _same(ours, theirs)
    if "lm" not in entries:
        both = BeamSearch(4, 3, limits=LIMITS, **short, scorers=entries)(decoder, utterances)
        assert [nbest[0].tokens for nbest in both] == [nbest[0].tokens for nbest in results[0]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"ctc_weight": 0.1, "scorers": {"ctc": CTCPrefixScorer(weight=0.3)}},
            "ctc_weight is 0.1, but scorers.ctc.weight is 0.3",
        ),
        ({"length_bonus": 1.0, "scorers": {"length": LengthBonus(0.5)}}, "length_bonus is 1.0, but scorers.length"),
        (
            {"pruning": Pruning(ctc_window=3), "scorers": {"ctc": CTCPrefixScorer(4, 0.3)}},
            "pruning.ctc_window is 3, but scorers.ctc.window is 4",
        ),
        (
            {
                "coverage": ThresholdCoverage(),
                "coverage_weight": 1.0,
                "scorers": {"coverage": GNMTCoverage(weight=1.0)},
            },
            "coverage and scorers.coverage differ",
        ),
        ({"lm": Alternating(), "lm_weight": 1.0, "scorers": {"lm": Alternating()}}, "lm and scorers.lm are both given"),
        ({"scorers": {"mine": Favouring()}}, "scorers.mine has no weight; set search.scorers.mine.weight=0.3"),
        ({"scorers": {"mine": Favouring(weight=float("nan"))}}, "scorers.mine.weight must be a number, got nan"),
        ({"scorers": {"mine": Favouring(weight=True)}}, "scorers.mine.weight must be a number, got True"),
        ({"scorers": {"mine": {"weight": 1.0}}}, "scorers.mine must be a Scorer .*, got a mapping without _target_"),
        (
            {"scorers": {"decoder": Favouring(weight=1.0)}},
            "scorers.decoder cannot be an entry: the decoder's weight is",
        ),
        ({"scorers": {"ctc": CTCPrefixScorer(weight=1.5)}}, r"ctc_weight must be in \[0, 1\], got 1.5"),
    ],
)
def test_what_contradicts_or_would_do_nothing_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        BeamSearch(**options)


def test_a_scorer_of_weight_zero_is_not_asked() -> None:
    decoder, utterances = TinyDecoder(vocabulary_size=V).eval(), acoustics(5)
    results = BeamSearch(3, limits=LIMITS, scorers={"mine": Favouring(weight=0.0)})(decoder, utterances)
    assert list(results[0][0].scores) == ["decoder"]


class Broken(Favouring):
    def score(self, tokens: Tensor, memory: Any, state: Any, context: StepContext) -> Scored:
        return Scored(torch.full((3,) if self.token else (V,), float("nan")), state)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (0, "utterance second: scorer mine gave NaN or"),
        (1, r"scorer mine: its scores must broadcast to \(B, K, V\); sizes are \(3,\) and \(2, 2, 8\)"),
    ],
)
def test_a_broken_scorer_is_named(token: int, words: str) -> None:
    decoder, utterances = TinyDecoder(vocabulary_size=V).eval(), acoustics(5, 4)
    words = words.replace("second", "first")
    with pytest.raises(LasasrError, match=words):
        BeamSearch(2, scorers={"mine": Broken(token, 1.0)})(decoder, utterances, ["first", "second"])


TOKENIZER = CharacterTokenizer.train(["abcd"])  # 8 tokens


def _search(**scorers: dict[str, Any]) -> dict[str, Any]:
    limits = {"_target_": "lasasr.search.limits.Limits", "max_length": 4}
    return {"_target_": "lasasr.search.beam.BeamSearch", "limits": limits, "scorers": scorers}


@pytest.fixture
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASASR_ALLOW", __name__)


@pytest.mark.usefixtures("_allowed")
def test_a_scorer_and_its_file_travel_in_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "favoured.txt").write_text(str(FAVOURED))
    listed = {"_target_": f"{__name__}.Listed", "file": str(tmp_path / "favoured.txt"), "weight": 9.0}
    recognizer = Recognizer.build(parts(0.3, search=_search(mine=listed)), TOKENIZER, "none/1").eval()
    audio = torch.randn(1, 8000, generator=torch.Generator().manual_seed(1)), torch.tensor([8000])
    (expected,) = recognizer.recognize(*audio)
    assert set(expected[0].text) == {TOKENIZER.tokens[FAVOURED]}
    recognizer.save(tmp_path / "bundle")
    (tmp_path / "favoured.txt").unlink()
    loaded = Recognizer.load(tmp_path / "bundle")
    (nbest,) = loaded.recognize(*audio)
    _same(nbest, expected)
    loaded.save(tmp_path / "bundle")  # once more into the same place, and from there to another
    loaded.save(tmp_path / "again")
    _same(Recognizer.load(tmp_path / "again").recognize(*audio)[0], expected)
    with pytest.raises(LasasrError, match=r"favoured\.txt, which search\.scorers names, is no file"):
        recognizer.save(tmp_path / "late")


def test_the_example_of_the_page_favours_the_tokens_that_its_file_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "search.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"```(python|yaml)\n(.*?)```", page, re.DOTALL))
    (tmp_path / "favouring.py").write_text(blocks["python"], encoding="utf-8")
    (tmp_path / "tokens.txt").write_text(f"{FAVOURED}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LASASR_ALLOW", "favouring")
    entry = yaml.safe_load(blocks["yaml"]) | {"file": str(tmp_path / "tokens.txt"), "weight": 4.0}
    search = language_model.search(_search(mine=entry), TOKENIZER)
    by_hand = BeamSearch(limits=Limits(max_length=4), scorers={"mine": Favouring(weight=4.0)})
    decoder, utterances = TinyDecoder(vocabulary_size=V).eval(), acoustics(7, 5)
    for ours, theirs in zip(search(decoder, utterances), by_hand(decoder, utterances), strict=True):
        _same(ours, theirs)
    suite = conformance.check(
        lambda weight: search_parts.scorer({**entry, "weight": weight}, "mine", lambda _: None, V)
    )
    assert [one for one in suite if not one.kept] == []


class Sized(Favouring):
    """Is told how many tokens there are."""

    def __init__(self, vocabulary_size: int, weight: float | None = None) -> None:
        super().__init__(weight=weight)
        self.vocabulary_size = vocabulary_size


@pytest.mark.usefixtures("_allowed")
@pytest.mark.parametrize("place", ["search", "validation.search"])
def test_a_partial_scorer_is_given_the_size_of_the_vocabulary(place: str) -> None:
    entry = {"_target_": f"{__name__}.Sized", "weight": 1.0, "_partial_": True}
    search = language_model.search(_search(mine=entry), TOKENIZER, place)
    assert search.fused.entries["mine"].scorer.vocabulary_size == TOKENIZER.vocabulary_size
    with pytest.raises(UsageError, match=r"search\.scorers\.mine\.vocabulary_size cannot be set: the toolkit"):
        language_model.search(_search(mine={**entry, "vocabulary_size": 3}), TOKENIZER, place)


@pytest.mark.usefixtures("_allowed")
def test_a_scorer_that_lacks_the_size_of_the_vocabulary_is_told_how_to_get_it() -> None:
    entry = {"_target_": f"{__name__}.Sized", "weight": 1.0}
    with pytest.raises(UsageError, match=r"'vocabulary_size'; search\.scorers\.mine\._partial_=true has the toolkit"):
        language_model.search(_search(mine=entry), TOKENIZER)


@pytest.mark.usefixtures("_allowed")
@pytest.mark.parametrize("path", ["/etc/passwd", "../favoured.txt"])
def test_a_bundle_names_no_file_outside_itself(path: str, tmp_path: Path) -> None:
    listed = {"_target_": f"{__name__}.Listed", "file": path, "weight": 9.0}
    with pytest.raises(LasasrError, match=r"config.yaml: search names .* none of the bundle's own files"):
        language_model.in_bundle(_search(mine=listed), tmp_path)


def test_a_language_model_by_name_is_that_of_the_short_key(tmp_path: Path) -> None:
    tiny = {"_target_": "lasasr.lm.lstm.LSTMLanguageModel", "hidden_dim": 6, "embedding_dim": 4, "_partial_": True}
    lm = language_model.TrainedLM.build(LanguageParts(lm=tiny, seed=1), TOKENIZER, "none/1")
    lm.save(tmp_path / "lm")
    path = str(tmp_path / "lm")
    entry = {"_target_": "lasasr.search.lm_scorer.ShallowFusion", "lm": path, "weight": 0.5}
    by_key = {**_search(), "lm": path, "lm_weight": 0.5}
    del by_key["scorers"]
    audio = torch.randn(1, 8000, generator=torch.Generator().manual_seed(1)), torch.tensor([8000])
    results = []
    for search in (by_key, _search(lm=entry), {**by_key, "scorers": {"lm": entry}}, _search(lm=entry, other=entry)):
        recognizer = Recognizer.build(parts(0.3, search=search), TOKENIZER, "none/1").eval()
        recognizer.save(tmp_path / "bundle")
        results.append(Recognizer.load(tmp_path / "bundle").recognize(*audio)[0])
        _same(results[-1], recognizer.recognize(*audio)[0])
    _same(results[1], results[0])
    _same(results[2], results[0])
    assert results[3][0].scores["other"] == pytest.approx(results[3][0].scores["lm"])
    with pytest.raises(UsageError, match=r"search.lm_weight is 0.4, but search.scorers.lm.weight is 0.5; give one"):
        language_model.search({**by_key, "lm_weight": 0.4, "scorers": {"lm": entry}}, TOKENIZER)
    with pytest.raises(UsageError, match="lm is not set"):
        language_model.search(_search(lm={**entry, "lm": None}), TOKENIZER)
