"""Whisper as a teacher: long audio in pieces, numbers as words, the texts of pieces as one."""

from __future__ import annotations

import gc
import importlib.util
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment

from lasasr.preparation.texts_table import read_texts

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
    with pytest.raises(script.UnusableError, match=r"is 40\.0 s long and has no pause"):
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


class Whisper:
    """Stands for the model: the text of a recording is the number of its samples; counts what it is asked."""

    def __init__(self, killed_at: int | None = None) -> None:
        self.asked: list[int] = []
        self.killed_at = killed_at

    def __call__(self, model: object, tokenizer: object, cuts: list[list[torch.Tensor]], nbest: int) -> list[list[Any]]:
        if self.killed_at is not None and len(self.asked) >= self.killed_at:
            raise KeyboardInterrupt
        sizes = [sum(map(len, pieces)) for pieces in cuts]
        self.asked += sizes
        return [[(f"{size} samples\u2028", -0.5 * rank) for rank in range(nbest)] for size in sizes]


class Corpus:
    """A manifest of eight recordings, and calls of the script on it."""

    def __init__(self, script: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.script, self.folder, self.monkeypatch = script, folder, monkeypatch
        self.manifest, self.table = folder / "train.jsonl.gz", folder / "out" / "texts.tsv"
        self.partial = folder / "out" / "texts.tsv.partial.jsonl"
        cuts = []
        for number in range(8):
            path = folder / f"u{number}.wav"
            soundfile.write(path, noise(1)[: 8000 + number], RATE_HZ)
            recording = Recording.from_file(path, recording_id=f"u{number}")
            spoken = SupervisionSegment(f"u{number}", f"u{number}", 0.0, recording.duration, text="x")
            cuts.append(MonoCut(f"u{number}", 0.0, recording.duration, 0, supervisions=[spoken], recording=recording))
        CutSet.from_cuts(cuts).to_file(self.manifest)
        model = SimpleNamespace(eval=lambda: None)
        stand_in = SimpleNamespace(from_pretrained=lambda name: SimpleNamespace(to=lambda device: model))
        monkeypatch.setattr(script, "WhisperForConditionalGeneration", stand_in)
        monkeypatch.setattr(script, "AutoTokenizer", SimpleNamespace(from_pretrained=lambda name: None))

    def call(self, whisper: Whisper, *more: str) -> int | str | None:
        """The exit status, or the message of it."""
        self.monkeypatch.setattr(self.script, "texts", whisper)
        words = ["model", str(self.manifest), "--out", str(self.table), "--digits", "--batch", "2", *more]
        self.monkeypatch.setattr(sys, "argv", ["whisper_texts.py", *words])
        try:
            self.script.main()
        except SystemExit as ended:
            return ended.code
        finally:
            gc.collect()  # closes the file, as the end of a process does
        return 0


@pytest.fixture
def corpus(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    return Corpus(script, tmp_path, monkeypatch)


@pytest.fixture
def table(corpus: Corpus) -> str:
    """What an uninterrupted call writes."""
    assert corpus.call(Whisper(), "--nbest", "2") == 0
    written = corpus.table.read_text(encoding="utf-8")
    corpus.table.unlink()
    return written


def test_the_table_has_every_text_and_nothing_is_left_beside_it(corpus: Corpus) -> None:
    assert corpus.call(Whisper(), "--nbest", "2") == 0
    texts = read_texts(corpus.table)
    assert list(texts) == [f"u{number}" for number in range(8)]
    assert [text.score for text in texts["u3"]] == [0.0, -0.5]
    assert list(corpus.table.parent.iterdir()) == [corpus.table]
    before = corpus.table.read_bytes()
    assert corpus.call(Whisper()) == 2
    assert corpus.table.read_bytes() == before


def test_an_interrupted_call_is_gone_on_with(corpus: Corpus, table: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert corpus.call(Whisper(killed_at=4), "--nbest", "2") == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    assert not corpus.table.exists()
    again = Whisper()
    assert corpus.call(again, "--nbest", "2") == 0
    assert again.asked == [8004, 8005, 8006, 8007]
    assert corpus.table.read_text(encoding="utf-8") == table


def test_wherever_a_kill_cut_the_file_the_table_is_the_same(corpus: Corpus, table: str) -> None:
    assert corpus.call(Whisper(killed_at=6), "--nbest", "2") == 130
    whole = corpus.partial.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    assert len(ends) == 7  # the settings and six texts
    within = {(start + end) // 2 for start, end in pairwise([0, *ends])}
    for size in sorted({0, *ends, *within, *(end - 1 for end in ends), *(end + 1 for end in ends[:-1])}):
        corpus.partial.write_bytes(whole[:size])
        again = Whisper()
        assert corpus.call(again, "--nbest", "2") == 0
        assert len(again.asked) == 8 - max(whole[:size].count(b"\n") - 1, 0)
        assert corpus.table.read_text(encoding="utf-8") == table
        corpus.table.unlink()


def test_a_bad_recording_costs_its_own_text_alone(corpus: Corpus, table: str) -> None:
    bad = corpus.folder / "u3.wav"
    good = bad.read_bytes()
    bad.write_bytes(b"no audio")
    first = Whisper()
    message = str(corpus.call(first, "--nbest", "2"))
    assert message.startswith("u3 cannot be read: ")
    assert "1 recordings have no text" in message
    assert first.asked == [8000, 8001, 8002, 8004, 8005, 8006, 8007]
    assert not corpus.table.exists()
    bad.write_bytes(good)
    again = Whisper()
    assert corpus.call(again, "--nbest", "2") == 0
    assert again.asked == [8003]
    assert corpus.table.read_text(encoding="utf-8") == table


def test_texts_of_other_settings_are_not_mixed(corpus: Corpus) -> None:
    assert corpus.call(Whisper(killed_at=4), "--nbest", "2") == 130
    kept = corpus.partial.read_bytes()
    assert "was made with nbest 2, not 3: delete it" in str(corpus.call(Whisper(), "--nbest", "3"))
    assert corpus.partial.read_bytes() == kept
    corpus.partial.write_bytes(kept.replace(b"duration_s", b"seconds", 1))
    assert "is damaged" in str(corpus.call(Whisper(), "--nbest", "2"))


def test_one_process_writes(corpus: Corpus, script: ModuleType) -> None:
    writer = script.Kept(corpus.table, {"schema": 1, "model": "model", "nbest": 1, "digits": True})
    assert corpus.call(Whisper()) == f"another process is writing {writer.path}"


def test_a_device_that_is_not_there_is_one_line(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    assert corpus.call(Whisper(), "--device", "cuda:99") == 2
    assert "error: --device cuda:99 cannot be used here (" in capsys.readouterr().err.splitlines()[-1]
