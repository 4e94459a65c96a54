"""The odd tables beside the project, where they are there: what doctor passes trains, and what it refuses does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from doctor_corpus import RATE_HZ, SMALL, Corpus

from lasasr.audio import read
from lasasr.cli.main import main
from lasasr.doctor import frames, memory
from lasasr.doctor.memory import Cost

CASES = next((path for path in (Path("../shared/cases"), Path("/work/shared/cases")) if path.is_dir()), Path("absent"))
ONE_UPDATE = (
    *SMALL,
    "listen.layers=1",
    "listen.subsampling_factor=2",
    "trainer.max_steps=1",
    "trainer.val_check_interval=1",
    "trainer.check_val_every_n_epoch=1",
    "evaluate.splits=[]",
    "evaluate.maps=0",
    "validation.maps=0",
    "search=greedy",
)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(memory, "probe", lambda config, shape: Cost(1, None, "cpu"))  # it has a test of its own


def ends(train: Path, dev: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, int, str]:
    """Exit statuses of doctor and train, and what both said; each ends in one line where it does not pass."""
    words = ["synthetic/las_char", "corpus=table", f"corpus.train={train}", f"corpus.dev={dev}", *ONE_UPDATE]
    doctor = main(["doctor", *words, "prepared_dir=of-doctor"])
    said = capsys.readouterr()
    assert "internal error" not in said.err
    trained = main(["train", *words, "prepared_dir=of-train"])
    refusal = capsys.readouterr().err
    assert trained == 0 or len([line for line in refusal.splitlines() if line.startswith("lasasr: ")]) == 1, refusal
    assert "internal error" not in refusal
    return doctor, trained, said.out + said.err + refusal


@pytest.mark.slow
@pytest.mark.skipif(not CASES.is_dir(), reason="no collection of odd tables (../shared/cases)")
@pytest.mark.parametrize("table", sorted((CASES / "tables").glob("*")), ids=lambda path: path.name)
def test_doctor_and_train_end_alike_on_an_odd_table(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doctor, trained, said = ends(table.resolve(), table.resolve(), capsys)
    assert doctor == trained, said


def test_an_utterance_that_no_memory_holds_is_refused_unread(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine of 64 MiB: five minutes in one piece are decoded neither by doctor nor by train."""
    (tmp_path / "corpus").mkdir()
    corpus = Corpus(tmp_path / "corpus")
    soundfile.write(corpus.audio("train-05"), np.zeros(300 * RATE_HZ), RATE_HZ)
    corpus.plain()
    decode, sizes = read.decoded, list[int]()

    def noted(*arguments: Any) -> np.ndarray[Any, Any]:
        channels = decode(*arguments)
        sizes.append(channels.size)
        return channels

    monkeypatch.setattr(read, "decoded", noted)
    monkeypatch.setattr(frames, "memory_bytes", lambda: 64 << 20)
    doctor, trained, said = ends(corpus.folder / "train.jsonl", corpus.folder / "dev.jsonl", capsys)
    assert (doctor, trained) == (1, 1), said
    assert "longer than memory, 1 (12 %): train-05; 300 s of audio in one piece are more than this machine" in said
    assert 0 < max(sizes) < 60 * RATE_HZ


@pytest.mark.parametrize("kind", ["silence", "endless text"])
def test_doctor_and_train_end_alike_on(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "corpus").mkdir()
    corpus = Corpus(tmp_path / "corpus")
    if kind == "silence":
        soundfile.write(corpus.audio("train-05"), np.zeros(24_000), RATE_HZ)
    else:
        corpus.rows["train"][5]["text"] = "go " * 5_000
    corpus.plain()
    doctor, trained, said = ends(corpus.folder / "train.jsonl", corpus.folder / "dev.jsonl", capsys)
    assert (doctor, trained) == ((0, 0) if kind == "silence" else (1, 1)), said
    assert ("digital silence" if kind == "silence" else "text longer than speech, 1 (12 %): train-05") in said
