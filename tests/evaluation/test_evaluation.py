"""Word times through recognizer and evaluation: which kinds there are, against what they are held, what is counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_recognizer import greedy, parts
from torch.nn.utils.rnn import pad_sequence

from lasasr.data.batch import Batch
from lasasr.evaluation.decoding import decode, decode_all
from lasasr.evaluation.maps import attention_figure
from lasasr.evaluation.outcome import Outcome, outcomes
from lasasr.evaluation.summary import alignment, boundaries, summary
from lasasr.evaluation.vocabulary import outside_vocabulary
from lasasr.metrics.alignment_reference import TimedLabel
from lasasr.metrics.error_rates import compare
from lasasr.metrics.triage import FLAGS
from lasasr.models.recognizer import Recognizer
from lasasr.report.outside_text import outside_line
from lasasr.search.beam import BeamSearch
from lasasr.search.hypothesis import Hypothesis, Kind, Word
from lasasr.search.limits import Limits
from lasasr.text import special
from lasasr.text.character import CharacterTokenizer

TEXTS = ("ab a", "ba", "b a b")
KINDS_OF = {0.0: {"attention"}, 0.4: {"attention", "ctc", "combined"}, 1.0: {"ctc"}}  # by ctc_weight


def recognizer(ctc_weight: float, attend: Mapping[str, Any] | None = None) -> Recognizer:
    """An untrained one whose frames are 20 ms apart."""
    changes = {"search": greedy(4, 6)} | ({"attend": attend} if attend else {})
    torch.manual_seed(0)
    return Recognizer.build(parts(ctc_weight, **changes), CharacterTokenizer.train(TEXTS), "none/1").eval()


def batch(*numbers: int) -> Batch:
    waveforms = [torch.randn(6000 + 1600 * n, generator=torch.Generator().manual_seed(n)).mul(0.1) for n in numbers]
    texts = tuple(TEXTS[n] for n in numbers)
    tokens = [torch.tensor(CharacterTokenizer.train(TEXTS).encode(text)) for text in texts]
    return Batch(
        ids=tuple(f"u{n}" for n in numbers),
        speakers=("",) * len(numbers),
        texts=texts,
        waveforms=pad_sequence(waveforms, batch_first=True),
        waveform_lengths=torch.tensor([len(one) for one in waveforms]),
        tokens=pad_sequence(tokens, batch_first=True, padding_value=special.PAD),
        token_lengths=torch.tensor([len(one) for one in tokens]),
    )


@pytest.mark.parametrize("ctc_weight", KINDS_OF)
def test_words_have_times_where_they_are_asked_for(ctc_weight: float) -> None:
    model, heard = recognizer(ctc_weight), batch(0, 1, 2)
    assert not any(one.best.timed or one.best.words for one in outcomes(model, heard))
    for one in outcomes(model, heard, timestamps=True):
        assert set(one.best.timed) == (KINDS_OF[ctc_weight] if one.best.tokens else KINDS_OF[ctc_weight] & {"ctc"})
        for words in one.best.timed.values():
            assert [word.word for word in words] == one.best.text.split()
            assert all(0 <= word.start_s <= word.end_s <= one.duration_s + 1e-3 for word in words)


def test_neighbours_in_the_batch_change_no_time() -> None:
    model = recognizer(0.4)
    together = outcomes(model, batch(0, 1, 2), timestamps=True)
    for n, one in enumerate(together):
        (alone,) = outcomes(model, batch(n), timestamps=True)
        for kind, words in alone.best.timed.items():
            for word, other in zip(words, one.best.timed[kind], strict=True):
                assert (word.start_s, word.end_s) == pytest.approx((other.start_s, other.end_s), abs=1.5e-3)


@pytest.mark.parametrize("attend", ["MoChA", "multihead"])
def test_hard_decisions_and_several_heads_tell_times_too(attend: str) -> None:
    part = {
        "MoChA": {"_target_": "lasasr.attend.monotonic.MochaAttention", "_partial_": True, "dim": 4},
        "multihead": {"_target_": "lasasr.attend.content.DotAttention", "_partial_": True, "dim": 4, "heads": 2},
    }[attend]
    for one in outcomes(recognizer(0.4, part), batch(0, 1, 2), timestamps=True):
        if one.best.tokens:
            assert "ctc" in one.best.timed
            assert [word.word for word in one.best.words] == one.best.text.split()


@pytest.mark.parametrize("ctc_weight", KINDS_OF)
def test_without_times_of_the_corpus_ctc_aligns_the_references(ctc_weight: float) -> None:
    done, _ = decode(recognizer(ctc_weight), [batch(0, 1), batch(2)], {})
    for one in done:
        if ctc_weight == 0.0:
            assert (one.spoken, one.spoken_by) == ((), "")
        else:
            assert one.spoken_by == "ctc"
            assert [word.label for word in one.spoken] == one.reference.split()
            assert 0 <= one.spoken[0].start_s <= one.spoken[-1].end_s <= one.duration_s + 1e-3
    found = boundaries(done, "word")
    assert (
        found is None if ctc_weight == 0.0 else set(found) <= {"against", "unit", "utterances", "labels", "attention"}
    )


def test_times_of_the_corpus_come_first_and_only_their_utterances_count() -> None:
    known = {"u1": (TimedLabel("ba", 0.1, 0.3),)}
    done, _ = decode(recognizer(0.4), [batch(0, 1, 2)], known)
    assert [one.spoken for one in done] == [(), known["u1"], ()]
    found = boundaries(done, "word")
    assert found is not None
    assert (found["against"], found["utterances"], found["labels"]) == ("corpus", 1, 1)
    assert set(found) >= {"attention", "ctc", "combined"}


def outcome(reference: str, text: str, spoken: Sequence[TimedLabel], timed: Mapping[Kind, Sequence[Word]]) -> Outcome:
    hypothesis = Hypothesis((4,), 0.0, text=text, timed={kind: tuple(words) for kind, words in timed.items()})
    counts = compare(reference, text, "wer")
    return Outcome("id", "", 1.0, reference, [hypothesis], counts, counts, tuple(spoken), "corpus")


def test_each_kind_is_held_against_the_truth_of_correct_words() -> None:
    spoken = [TimedLabel("a", 0.1, 0.2), TimedLabel("b", 0.2, 0.4), TimedLabel("c", 0.5, 0.6)]

    def shifted(by_s: float) -> list[Word]:
        said = [TimedLabel("x", 0.0, 0.9), *spoken[1:]]  # the first word is wrong, and far away
        return [Word(one.label, one.start_s + by_s, one.end_s + by_s) for one in said]

    timed: dict[Kind, list[Word]] = {"attention": shifted(-0.03), "ctc": shifted(0.06), "combined": shifted(0.0)}
    found = boundaries([outcome("a b c", "x b c", spoken, timed), outcome("a", "a", (), {})], "word")
    assert found is not None
    assert {name: found[name] for name in ("unit", "utterances", "labels")} == {
        "unit": "word",
        "utterances": 1,
        "labels": 3,
    }
    assert {kind: found[kind]["bias_ms"] for kind in timed} == pytest.approx(
        {"attention": -30.0, "ctc": 60.0, "combined": 0.0}, abs=1e-6
    )
    assert all(found[kind]["boundaries"] == 4 and found[kind]["matched"] == 2 / 3 for kind in timed)


def test_a_kind_that_an_utterance_lacks_leaves_its_words_unmatched() -> None:
    spoken = [TimedLabel("a", 0.1, 0.2)]
    has = outcome("a", "a", spoken, {"ctc": [Word("a", 0.1, 0.2)]})
    found = boundaries([has, outcome("a", "a", spoken, {})], "word")
    assert found is not None
    assert found["ctc"]["matched"] == 0.5
    assert "attention" not in found


def test_the_interval_of_the_summary_is_over_speakers_where_they_are_known() -> None:
    done = [
        replace(outcome("a b c d", text, (), {}), speaker=speaker)
        for speaker, text in [("s1", "x x x x"), ("s1", "x x x d"), ("s2", "a b c d"), ("s2", "a b c x")]
    ]
    found = summary("test", done, 0.1, {"metric": "wer"})
    assert found["ci95"] == [12.5, 87.5]  # of each speaker alone: nothing lies outside the rates of the two
    assert found["ci_method"].startswith("95% percentile bootstrap over speakers")
    assert found["speakers"] == 2
    unnamed = summary("test", [*done[:3], replace(done[3], speaker="")], 0.1, {"metric": "wer"})
    assert "over utterances" in unnamed["ci_method"]
    assert unnamed["speakers"] is None


def test_the_summary_holds_both_measures_or_none() -> None:
    about = {"metric": "wer"}
    done, seconds = decode(
        recognizer(0.4), [batch(0, 1, 2)], {"u0": (TimedLabel("ab", 0.1, 0.2), TimedLabel("a", 0.2, 0.3))}
    )
    found = summary("test", done, seconds, about)["alignment"]
    assert found["boundaries"]["unit"] == "word"
    assert {name: value for name, value in found.items() if name != "boundaries"} == alignment(done)
    assert summary("test", done, seconds, {"metric": "per"})["alignment"]["boundaries"]["unit"] == "phone"
    bare = [outcome("a", "a", (), {})]
    assert summary("test", bare, 0.1, about)["alignment"] is None


def test_several_searches_encode_every_batch_once_and_find_what_each_finds_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, encoded = recognizer(0.4), []
    wide = BeamSearch(beam=3, ctc_weight=0.3, limits=Limits(max_length=5))
    searches = [model, model.searching(wide)]
    encode = Recognizer.encode_waveforms
    monkeypatch.setattr(Recognizer, "encode_waveforms", lambda *args: encoded.append(1) or encode(*args))
    together = decode_all(searches, [batch(0, 1), batch(2)], {})
    assert len(encoded) == 2
    for (done, _), one in zip(together, searches, strict=True):
        alone, _ = decode(one, [batch(0, 1), batch(2)], {})
        assert [some.best.tokens for some in done] == [some.best.tokens for some in alone]
        assert [some.flags for some in done] == [some.flags for some in alone]


def test_every_wrong_hypothesis_is_somebodys_error_and_the_summary_counts_them() -> None:
    model = recognizer(0.4)
    done, seconds = decode(model, [batch(0, 1, 2)], {})
    for one in done:
        blamed = {"model_error", "search_error"} & set(one.flags)
        assert len(blamed) == (1 if one.counts.errors else 0)
        assert (one.reference_score is not None) == bool(one.counts.errors)
    triage = summary("test", done, seconds, {"metric": "wer"})["triage"]
    lines = [one.line() for one in done]
    assert triage["flags"] == {flag: sum(flag in line["flags"] for line in lines) for flag in FLAGS}
    assert triage["references_scored"] == sum(line["reference_score"] is not None for line in lines) > 0
    ((unjudged, _),) = decode_all([model], [batch(0, 1, 2)], {}, score_references=False)
    assert not any({"model_error", "search_error"} & set(one.flags) for one in unjudged)


def test_the_map_shows_when_the_reference_was_said() -> None:
    model, heard = recognizer(0.0), batch(2)
    spoken = (TimedLabel("b", 0.1, 0.2), TimedLabel("a", 0.2, 0.3), TimedLabel("b", 0.35, 0.45))
    ((one,), _) = decode(model, [heard], {"u2": spoken})
    figure = attention_figure(model, heard.waveforms[0], one)
    for axis in (axis for axis in figure.axes if axis.images):
        assert [line.get_xdata()[0] for line in axis.lines] == [0.1, 0.2, 0.3, 0.35, 0.45]
        assert axis.images[0].get_extent()[0] == pytest.approx(0.0075)
    assert [text.get_text() for text in figure.axes[0].texts] == ["b", "a", "b"]
    assert figure.get_suptitle().splitlines()[0] == "u2  (lines: times of the corpus)"
    ((by_ctc,), _) = decode(recognizer(0.4), [heard], {})
    assert (
        attention_figure(model, heard.waveforms[0], by_ctc).get_suptitle().startswith("u2  (lines: this model's CTC)")
    )


@pytest.mark.parametrize("ctc_weight", KINDS_OF)
def test_references_outside_the_vocabulary_are_scored_as_they_are(ctc_weight: float) -> None:
    model, heard = recognizer(ctc_weight), batch(0, 1, 2)
    usual, _ = decode(model, [heard], {})
    odd = replace(heard, texts=("zb a", "\u8a9e", heard.texts[2]))
    done, _ = decode(model, [odd], {})
    assert [one.reference for one in done] == list(odd.texts)
    assert [one.best.text for one in done] == [one.best.text for one in usual]
    for one in done:
        assert one.counts == compare(one.reference, one.best.text, "wer")
    assert min(one.counts.errors for one in done[:2]) > 0
    assert [one.spoken for one in done[:2]] == [(), ()]
    assert done[2].spoken == usual[2].spoken
    assert done[0].reference_score is done[1].reference_score is None


def test_what_is_outside_the_vocabulary_is_counted_and_said() -> None:
    tokenizer = CharacterTokenizer.train(TEXTS)
    outside = outside_vocabulary(tokenizer, ["ab a", "zebra", "z \x1b", "\u8a9e"])
    assert outside == {
        "utterances": 3,
        "symbols": 6,
        "most_frequent": {"z": 2, "\x1b": 1, "e": 1, "r": 1, "\u8a9e": 1},
    }
    line = outside_line({"split": "test", "metric": "wer", "utterances": 4, "outside_vocabulary": outside})
    counts = "'z' 2, '\\u001b' 1, 'e' 1, 'r' 1, '\u8a9e' 1"
    assert line == f"test: 6 characters in 3 of 4 utterances are outside the vocabulary and count as errors: {counts}"
    assert outside_line({"split": "test"}) == ""
    assert outside_line({"split": "test", "outside_vocabulary": outside_vocabulary(tokenizer, TEXTS)}) == ""
