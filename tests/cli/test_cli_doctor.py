"""`lasasr doctor` as a user runs it, and the part of it that `lasasr train` runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from doctor_corpus import RATE_HZ, SMALL, Corpus

from lasasr.cli.main import main
from lasasr.doctor import examination
from lasasr.errors import LasasrError
from lasasr.models import factory
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import prepare

DOCTOR = ("doctor", "synthetic/las_char", "corpus=table", *SMALL)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path)


def arguments(corpus: Corpus) -> list[str]:
    corpus.plain()
    tables = [f"corpus.{split}={corpus.folder}/{split}.jsonl" for split in corpus.rows]
    return [*DOCTOR, *tables, f"prepared_dir={corpus.folder}/prepared"]


@pytest.mark.slow
def test_a_clean_corpus_ends_with_0_and_a_measured_worst_batch(
    corpus: Corpus, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(corpus)) == 0
    (written,) = (corpus.folder / "prepared" / "doctor" / "synthetic").glob("las_char-*.json")
    assert capsys.readouterr().out.splitlines()[-1] == f"0 errors, 1 warning; every id: {written}"
    report = json.loads(written.read_text())
    assert report["facts"]["memory"]["device"] == "cpu"
    assert report["facts"]["memory"]["peak_mib"] > 50


def test_an_error_ends_with_1_and_is_shown(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    voice = np.sin(np.arange(24_000) / 20.0)
    soundfile.write(corpus.audio("test-12"), np.stack([voice, -voice], axis=1), RATE_HZ)
    path = corpus.folder / "report.json"
    assert main([*arguments(corpus), "--json", str(path)]) == 1
    out = capsys.readouterr().out
    assert "cancel each other" in " ".join(out.split())
    assert "test-12" in out
    assert json.loads(path.read_text())["errors"] == 1


def test_quick_reads_no_audio(corpus: Corpus) -> None:
    command = arguments(corpus)
    assert main([*command, "--quick"]) == 0
    for path in corpus.folder.glob("*.wav"):
        path.unlink()
    assert main([*command, "--quick"]) == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("--json=/", "--json / is a folder, not a file"),
        ("--ranks=0", "--ranks must be at least 1, got 0"),
        ("listen.layer=2", "unknown key listen.layer"),
    ],
)
def test_a_wrong_request_is_one_line(
    corpus: Corpus, capsys: pytest.CaptureFixture[str], wrong: str, message: str
) -> None:
    assert main([*arguments(corpus), wrong]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def glance(corpus: Corpus) -> None:
    settings = corpus.settings()
    prepared = prepare(settings, lambda task, done, total: None)
    for path in corpus.folder.glob("*.wav"):
        path.unlink()  # no audio is read
    examination.warn_or_refuse(
        settings, prepared, Recognizer.build(factory.model_parts(settings), prepared.tokenizer, "none/1")
    )


def test_training_is_silent_about_a_clean_corpus(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    glance(corpus)
    assert capsys.readouterr().err == ""


def test_training_warns_in_one_line(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    corpus.rows["test"][1]["speaker"] = "train-speaker-0"
    glance(corpus)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: test: speaker of train, 1 (33 %): test-12; ")


def test_training_stops_at_an_error(corpus: Corpus) -> None:
    corpus.rows["test"][1]["audio"] = "train-00.wav"
    with pytest.raises(LasasrError, match="training hears what is tested"):
        glance(corpus)


def test_training_goes_on_with_references_outside_the_vocabulary(
    corpus: Corpus, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus.rows["test"][1]["text"] = "go zebra"
    glance(corpus)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: test: outside the vocabulary, 1 (33 %): test-12; these count as errors: ")


def test_a_split_that_is_not_decoded_does_not_stop_training(corpus: Corpus) -> None:
    corpus.rows["test"][1]["text"] = "go zebra"
    settings = corpus.settings("evaluate.splits=[dev]")
    prepared = prepare(settings, lambda task, done, total: None)
    examination.warn_or_refuse(
        settings, prepared, Recognizer.build(factory.model_parts(settings), prepared.tokenizer, "none/1")
    )
