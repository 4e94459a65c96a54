"""Whisper as a teacher: long audio in pieces, numbers as words, the texts of pieces as one."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("transformers", reason="no transformers")
SCRIPT = Path(__file__).parents[1] / "scripts" / "whisper_texts.py"
RATE_HZ = 16_000


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("whisper_texts", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Recorded:
    """As much of a Lhotse cut as the script reads."""

    def __init__(self, waveform: np.ndarray) -> None:
        self.id, self.waveform, self.duration = "long-1", waveform, len(waveform) / RATE_HZ

    def resample(self, rate_hz: int) -> Recorded:
        assert rate_hz == RATE_HZ
        return self

    def load_audio(self) -> np.ndarray:
        return self.waveform[None]


class Tokenizer:
    """Decodes one token at a time."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens

    def __len__(self) -> int:
        return len(self.tokens)

    def batch_decode(self, sequences: list[list[int]]) -> list[str]:
        return ["".join(self.tokens[number] for number in numbers) for numbers in sequences]


def noise(seconds: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(1).standard_normal(seconds * RATE_HZ)).astype(np.float32)


def test_what_is_heard_at_once_stays_whole_and_longer_audio_is_cut_in_its_pause(script: ModuleType) -> None:
    (whole,) = script.pieces_of(Recorded(noise(30)))
    assert len(whole) == 30 * RATE_HZ
    waveform = noise(40)
    waveform[17 * RATE_HZ : 18 * RATE_HZ] *= 0.01
    pieces = script.pieces_of(Recorded(waveform))
    assert len(pieces) == 2
    assert 17.0 < len(pieces[0]) / RATE_HZ < 18.0
    assert torch.equal(torch.cat(pieces), torch.from_numpy(waveform))


def test_long_audio_without_a_pause_is_named(script: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"long-1 is 40\.0 s long and has no pause"):
        script.pieces_of(Recorded(noise(40)))


def test_the_texts_of_pieces_are_one(script: ModuleType) -> None:
    alone = [("a b", -1.0), ("a p", -2.0)]
    assert script.joined([alone]) == alone
    assert script.joined([alone, [("c", -0.5), ("d", -3.0)]]) == [("a b c", -1.5)]


def test_numbers_and_signs_are_not_written(script: ModuleType) -> None:
    tokens = ["<|0.00|>", " one", "1", " $", " it's", ",", " 2nd", "%", "-"]
    model = SimpleNamespace(generation_config=SimpleNamespace(suppress_tokens=[5]))
    script.without_digits(model, Tokenizer(tokens))
    assert model.generation_config.suppress_tokens == [2, 3, 5, 6, 7]
