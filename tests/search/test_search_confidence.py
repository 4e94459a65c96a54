"""Features of words, each against its definition; and a bundle that keeps the calibration."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from tiny_recognizer import greedy, parts

from lasasr.errors import LasasrError
from lasasr.metrics.alignment_reference import TimedLabel, word_times
from lasasr.metrics.confidence import Logistic
from lasasr.models.recognizer import Recognizer
from lasasr.search.confidence import FEATURES, tokens_of_words, word_features
from lasasr.search.hypothesis import Hypothesis
from lasasr.text import special
from lasasr.text.character import CharacterTokenizer

SWELL = 1.3 + torch.cos(torch.arange(16_000) * (2 * torch.pi * 3.0 / 16_000))  # what is steady is not decoded
NOISE = torch.randn(16_000, generator=torch.Generator().manual_seed(1)) * 0.1 * SWELL
NAMES = (*special.NAMES, "▁", "a", "b", "▁c", "d")


@pytest.mark.parametrize("seed", range(20))
def test_tokens_are_those_of_the_timed_words(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(special.FIRST_TEXT, len(NAMES), (9,), generator=generator).tolist()
    labels = [TimedLabel(NAMES[token], float(u), u + 1.0) for u, token in enumerate(tokens)]
    found = tokens_of_words(tokens, NAMES, phones=False)
    assert [(word[0], word[-1] + 1) for word in found] == [(word.start_s, word.end_s) for word in word_times(labels)]


def test_each_feature_is_what_it_says() -> None:
    tokens = (5, 6, 4, 8)  # ab d
    weights = torch.tensor(
        [[[0.5, 0.5, 0.0]], [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]], [[0.25, 0.25, 0.5]], [[0, 0, 1.0]]]
    )
    nbest = [
        Hypothesis(tokens, -1.0, text="ab d"),
        Hypothesis((5, 6), -1.0 - math.log(2.0), text="ab"),
        Hypothesis((8, 4, 8), -1.0 - math.log(2.0), text="d d"),
    ]
    first, second = word_features(nbest, NAMES, [-0.5, -2.0, -9.0, -30.0], weights, None)
    assert (first["decoder"], first["decoder_mean"], second["decoder"]) == (-2.0, -1.25, -20.0)
    assert first["sharpness"] == pytest.approx(-0.5 * math.log(2.0))
    assert second["sharpness"] == pytest.approx(-(0.5 * math.log(4.0) + 0.5 * math.log(2.0)))
    assert math.exp(first["posterior"]) == pytest.approx(0.75)  # in the first and the second
    assert math.exp(second["posterior"]) == pytest.approx(0.75)  # in the first and the third
    assert first["ctc"] == 0.0
    assert set(first) == set(FEATURES)


@pytest.mark.parametrize("ctc_weight", [0.0, 0.3, 1.0])
def test_a_bundle_keeps_the_calibration_and_words_carry_it(ctc_weight: float, tmp_path: Path) -> None:
    torch.manual_seed(0)
    tokenizer = CharacterTokenizer.train(["ab c", "ba"])
    recognizer = Recognizer.build(parts(ctc_weight, search=greedy(5, 9)), tokenizer, "none/1").eval()
    (plain,) = recognizer.transcribe(NOISE)
    assert plain.confidence is None
    recognizer.calibration = Logistic(0.25, dict.fromkeys(FEATURES, 0.125))
    recognizer.save(tmp_path)
    loaded = Recognizer.load(tmp_path)
    assert loaded.calibration == recognizer.calibration == loaded.with_search(keep_weights=True).calibration
    (best,) = loaded.transcribe(NOISE)
    assert best.words
    assert best.confidence == pytest.approx(sum(word.confidence or 0.0 for word in best.words) / len(best.words))
    acoustics = loaded.encode_waveforms(NOISE[None], torch.tensor([len(NOISE)]))
    (features,) = loaded.word_features(acoustics, [[best]])
    expected = [1 / (1 + math.exp(-0.25 - 0.125 * sum(word.values()))) for word in features]
    assert [word.confidence for word in best.words] == pytest.approx(expected, abs=1e-4)
    assert [(word.word, word.start_s) for word in best.words] == [(word.word, word.start_s) for word in plain.words]
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().replace("bias: 0.25", "bias: much"))
    with pytest.raises(LasasrError, match=r"config\.yaml: confidence must hold bias and weights"):
        Recognizer.load(tmp_path)
