"""Parts of a trained recognizer as the beginning of another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_recognizer import parts

from lasasr.errors import LasasrError, UsageError
from lasasr.models.recognizer import Recognizer
from lasasr.text.character import CharacterTokenizer
from lasasr.training.warm_start import warm_start

GRU = {"_target_": "lasasr.spell.recurrent.RecurrentDecoder", "_partial_": True, "hidden_dim": 5}


def made(seed: int, ctc_weight: float = 0.3, letters: str = "abc", **changes: Any) -> Recognizer:
    torch.manual_seed(seed)
    return Recognizer.build(parts(ctc_weight, seed, **changes), CharacterTokenizer.train([letters]), "none/1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    made(1).save(folder)
    return folder


def test_named_parts_begin_with_the_trained_weights_and_others_with_their_own(trained: Path) -> None:
    source, plain, started = Recognizer.load(trained), made(2, spell=GRU), made(2, spell=GRU)
    warm_start(started, str(trained), ["encoder", "ctc"])
    features, frames = torch.randn(2, 30, 8), torch.tensor([30, 21])
    heard, expected = (one.eval().acoustics(features, frames) for one in (started, source))
    assert torch.equal(heard.encoded, expected.encoded)
    assert torch.equal(heard.ctc_log_probs, expected.ctc_log_probs)
    untouched = plain.model.decoder.state_dict()
    assert all(torch.equal(value, untouched[name]) for name, value in started.model.decoder.state_dict().items())
    assert not torch.equal(plain.eval().acoustics(features, frames).encoded, expected.encoded)


def test_all_parts_make_the_same_recognizer(trained: Path) -> None:
    started = made(2)
    warm_start(started, str(trained), ["encoder", "decoder", "ctc"])
    source = Recognizer.load(trained).state_dict()
    assert all(torch.equal(value, source[name]) for name, value in started.state_dict().items())


OTHER_BINS = {"_target_": "lasasr.audio.fbank_frontend.FbankFrontend", "bins": 9}


@pytest.mark.parametrize(
    ("changes", "parts", "said"),
    [
        ({"spell": GRU}, ["decoder"], r"decoder\.\S+ is \(.+\) here and \(.+\) in .*leave the part out"),
        ({"letters": "abcd"}, ["encoder", "ctc"], "other tokens; set tokenizer=of_run"),
        ({"frontend": OTHER_BINS}, ["encoder"], "another frontend"),
    ],
)
def test_what_would_not_be_the_same_is_refused(trained: Path, changes: Any, parts: list[str], said: str) -> None:
    recognizer = made(2, **changes)
    before = {name: value.clone() for name, value in recognizer.state_dict().items()}
    with pytest.raises(LasasrError, match=said):
        warm_start(recognizer, str(trained), parts)
    assert all(torch.equal(value, before[name]) for name, value in recognizer.state_dict().items())


@pytest.mark.parametrize(
    ("parts", "said"),
    [(["encodr"], "got encodr"), (["ctc", "ctc"], "got ctc"), (["ctc"], "ctc, which this recognizer")],
)
def test_parts_that_cannot_be_are_named(trained: Path, parts: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        warm_start(made(2, ctc_weight=0.0), str(trained), parts)


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LasasrError, match="nothing"):
        warm_start(made(2), str(tmp_path / "nothing"), ["encoder"])
