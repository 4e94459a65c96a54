"""Times of a given text, and a search with other options, from Python."""

from __future__ import annotations

import pytest
import torch
from tiny_recognizer import greedy, parts

from lasasr.errors import LasasrError, UsageError
from lasasr.models.recognizer import Recognizer
from lasasr.text.character import CharacterTokenizer

BEAM = {
    "_target_": "lasasr.search.beam.BeamSearch",
    "limits": {"_target_": "lasasr.search.limits.Limits", "min_length": 3, "max_length": 8},
}


def build(ctc_weight: float, search: dict[str, object] | None = None) -> Recognizer:
    torch.manual_seed(0)
    tokenizer = CharacterTokenizer.train(["ab c", "ba"])
    return Recognizer.build(parts(ctc_weight, search=search or greedy(5, 9)), tokenizer, "english/1").eval()


SWELL = 1.3 + torch.cos(torch.arange(16_000) * (2 * torch.pi * 3.0 / 16_000))  # what is steady is not decoded
NOISE = torch.randn(16_000, generator=torch.Generator().manual_seed(1)) * 0.1 * SWELL


def test_the_times_of_what_was_recognized_are_those_of_its_text() -> None:
    for ctc_weight in (0.0, 0.3, 1.0):
        recognizer = build(ctc_weight)
        (best,) = recognizer.transcribe(NOISE)
        words = recognizer.align(NOISE, best.text)
        assert words
        assert [word.word for word in words] == best.text.split()
        if recognizer.tokenizer.encode(best.text) == list(best.tokens) and best.words:
            assert words == best.words


def test_a_text_passes_through_the_rule_and_what_does_not_fit_is_named() -> None:
    recognizer = build(1.0)
    assert [word.word for word in recognizer.align(NOISE.numpy(), "AB, c!")] == ["ab", "c"]
    with pytest.raises(LasasrError, match="too few frames for a text of"):
        recognizer.align(NOISE[:2000], "ab c " * 50)
    with pytest.raises(LasasrError, match="z"):
        recognizer.align(NOISE, "zzz")
    with pytest.raises(UsageError, match="align takes one recording, got 2"):
        recognizer.align([NOISE, NOISE], "ab")


@pytest.mark.parametrize("ctc_weight", [0.0, 0.3])
def test_attention_gives_no_times_to_a_text_that_the_audio_cannot_hold(ctc_weight: float) -> None:
    recognizer = build(ctc_weight)
    with pytest.raises(LasasrError, match="too few frames for a text of"):
        recognizer.align(NOISE, "ab c " * 100)


def test_other_options_of_a_search_and_its_n_best() -> None:
    recognizer = build(0.3, BEAM)
    changed = recognizer.with_search(beam=6, nbest=4, ctc_weight=0.2, limits={"max_length": 5})
    (best,) = changed.transcribe(NOISE)
    assert len(best.alternatives) == 3
    readings = [best, *best.alternatives]
    assert all(3 <= len(reading.tokens) <= 5 for reading in readings)
    assert all(reading.text == recognizer.tokenizer.decode(reading.tokens) for reading in readings)
    scores = [reading.score for reading in readings]
    assert scores == sorted(scores, reverse=True)
    assert recognizer.transcribe(NOISE)[0].alternatives == ()
    with pytest.raises(UsageError, match="beem"):
        recognizer.with_search(beem=3)
