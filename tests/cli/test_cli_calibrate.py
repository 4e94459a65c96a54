"""`lasasr calibrate` from the command line: what it fits stands in what transcribe and evaluate write."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lasasr.artifacts import results, run_paths
from lasasr.cli.main import main
from lasasr.models.recognizer import Recognizer

RATE = 16_000
RECIPE = """\
defaults:
  - /base
  - override /corpus: table
  - override /search: beam_ctc
  - override /logger: csv
  - _self_
corpus: {train: train.jsonl, dev: dev.jsonl, test: test.jsonl}
batching: {max_utterances: 4}
listen: {hidden_dim: 4, layers: 1}
attend: {dim: 8}
spell: {hidden_dim: 8, embedding_dim: 8, readout_dim: 8}
search: {beam: 3, nbest: 3, limits: {min_length: 1, max_length: 1}}
trainer: {accelerator: cpu, max_steps: 3, val_check_interval: 3, check_val_every_n_epoch: null, log_every_n_steps: 1}
evaluate: {maps: 0}
validation: {maps: 0}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a recognizer of one-letter words was trained on noise that says none: some are right."""
    place = tmp_path_factory.mktemp("calibrate")
    draw = np.random.default_rng(0)
    for split, count in (("train", 8), ("dev", 20), ("test", 6)):
        rows = []
        for number in range(count):
            seconds = np.arange(int(RATE * draw.uniform(0.4, 0.8))) / RATE
            swell = (0.5 + 0.5 * np.cos(2.0 * np.pi * draw.uniform(1.5, 2.5) * seconds)) ** 3
            soundfile.write(place / f"{split}{number}.wav", 0.1 * swell * draw.normal(size=len(seconds)), RATE)
            row = {"id": f"{split}{number}", "audio": f"{split}{number}.wav", "text": "abb"[number % 3]}
            rows.append(json.dumps({**row, "speaker": f"s{number % 4}"}))
        (place / f"{split}.jsonl").write_text("\n".join(rows))
    (place / "mine.yaml").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        inside(place, patch)
        assert main(["train", "mine.yaml"]) == 0
    return place


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The run, in a folder of its own, which is also the working directory."""
    place = Path(shutil.copytree(trained, tmp_path / "place"))
    inside(place, monkeypatch)
    (folder,) = (place / "runs" / "mine").iterdir()
    return str(folder.relative_to(place))


def inside(place: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(place)
    for name in ("PREPARED", "RUNS", "DATA"):
        patch.setenv(f"LASASR_{name}", name.lower())


def transcribed(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    capsys.readouterr()
    assert main(["transcribe", *words, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_confidence_stands_in_what_is_written_afterwards(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    (before,) = transcribed(capsys, run, "test0.wav")
    assert [word.get("confidence") for word in before["words"]] == [None]  # type: ignore[attr-defined]
    assert main(["transcribe", run, "test0.wav", "--min-confidence", "0.5"]) == 2
    assert "is not calibrated: lasasr calibrate RUN" in capsys.readouterr().err

    assert main(["calibrate", run]) == 0
    said = capsys.readouterr().out
    assert "words: 20, " in said
    assert "calibration error: 0." in said
    assert "the surest  90 %" in said
    picture = Path(run) / "plots" / "confidence-dev.png"
    assert picture.stat().st_size > 1000
    assert said.endswith(f"written: {Path(run) / 'bundle'}\nwritten: {picture}\n")

    (after,) = transcribed(capsys, run, "test0.wav")
    assert after["text"] == before["text"]
    (word,) = after["words"]  # type: ignore[misc]
    assert 0.0 < word["confidence"] < 1.0
    assert transcribed(capsys, run, "test0.wav", "test1.wav", "--min-confidence", "1.0") == []
    assert len(transcribed(capsys, run, "test0.wav", "test1.wav", "--min-confidence", "0.0")) == 2


def test_the_fit_is_that_of_dev_and_travels(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Over the words on which it was fitted, a logistic regression is right as often as it says, to its prior."""
    assert main(["calibrate", run]) == 0
    wrong = int(capsys.readouterr().out.split("words: 20, ")[1].split()[0])
    assert main(["export", run, "--out", "elsewhere"]) == 0
    assert Recognizer.load("elsewhere").calibration == Recognizer.load(run).calibration is not None
    said = transcribed(capsys, "elsewhere", *(f"dev{number}.wav" for number in range(20)))
    sure = [word["confidence"] for line in said for word in line["words"]]  # type: ignore[attr-defined]
    assert np.mean(sure) == pytest.approx((20 - wrong) / 20, abs=0.05)


def test_evaluate_says_how_far_it_can_be_believed(run: str) -> None:
    assert main(["calibrate", run]) == 0
    assert main(["evaluate", run]) == 0
    summary, lines = results.read(run_paths.find_run(run).results, "test")
    assert {"calibration_error", "roc_area", "kept"} <= set(summary["confidence"])
    assert summary["confidence"]["words"] == sum(len(line["words"]) for line in lines)
    assert (Path(run) / "plots" / "confidence-test.png").stat().st_size > 1000


def test_a_bundle_alone_is_refused(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(Path(run) / "bundle", "alone")
    assert main(["calibrate", "alone"]) == 1
    assert "alone is no run folder" in capsys.readouterr().err
