"""A language model trained as a user trains one: resumed exactly, evaluated, fused, refused where it does not fit."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from lasasr.cli.main import main
from lasasr.data.sentences import load_split
from lasasr.errors import LasasrError
from lasasr.lm.lstm import LSTMLanguageModel
from lasasr.models import language_model
from lasasr.models.language_model import TrainedLM
from lasasr.search.beam import BeamSearch
from lasasr.text.character import CharacterTokenizer
from lasasr.training.lm_module import LMTraining

SMALL = (
    "corpus.train_sentences=120",
    "corpus.dev_sentences=20",
    "lm.hidden_dim=12",
    "lm.dropout=0.1",
    "batching.max_sentences=16",
    "trainer.max_epochs=2",
    "trainer.val_check_interval=1.0",
    "trainer.accelerator=cpu",
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("lm")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PREPARED", "RUNS", "DATA"):
            patch.setenv(f"LASASR_{name}", str(folder / name.lower()))
        yield folder


@pytest.fixture(scope="module")
def run(workspace: Path) -> Path:
    """A finished run."""
    assert main(["train", "lm/synthetic_char", *SMALL]) == 0
    (folder,) = (workspace / "runs" / "lm" / "synthetic_char").glob("*-s1-*")
    return folder


def test_the_perplexities_of_a_run_are_the_models_own(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = json.loads((run / "perplexity.json").read_text())["splits"]["dev"]
    card = json.loads((run / "card.json").read_text())
    assert card["status"] == "finished"
    assert card["results"]["dev"] == results
    assert results["sentences"] == 20
    trained = TrainedLM.load(run / "bundle")
    (folder,) = (run.parents[3] / "prepared").glob("synthetic_text-*/tokens-*")
    sentences = load_split(folder / "dev")
    with torch.no_grad():
        nats = sum(
            float(trained.model.nats(torch.from_numpy(ids)[None], torch.tensor([len(ids)])))
            for ids in (sentences.ids(i) for i in range(len(sentences)))
        )
    tokens = int(sentences.lengths.sum())
    assert results["nats"] == pytest.approx(nats, rel=1e-5)
    assert results["per_token"] == pytest.approx(math.exp(nats / tokens), rel=1e-4)
    assert 1.0 < results["per_token"] < trained.tokenizer.vocabulary_size
    assert main(["evaluate", str(run)]) == 0
    assert "PPL/token" in capsys.readouterr().out


def test_other_text_leaves_the_runs_own_perplexity(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = json.loads((run / "perplexity.json").read_text())["splits"]["dev"]
    assert main(["evaluate", str(run), "corpus.dev_sentences=30"]) == 0
    (other,) = run.glob("perplexity@dev_dev_sentences-30-*.json")
    assert f"result:          {other}" in capsys.readouterr().out
    assert json.loads(other.read_text())["splits"]["dev"]["sentences"] == 30
    assert json.loads((run / "perplexity.json").read_text())["splits"]["dev"] == before
    assert main(["evaluate", str(run), "evaluate.splits=[train]"]) == 0
    assert set(json.loads((run / "perplexity.json").read_text())["splits"]) == {"dev", "train"}
    assert main(["train", "lm/synthetic_char", *SMALL]) == 0
    assert f"other result:    {other}" in capsys.readouterr().out


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(
    run: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = LMTraining.training_step

    def interrupted(self: LMTraining, batch: Any, batch_idx: int) -> Any:
        if self.global_step == 5:
            signal.raise_signal(signal.SIGTERM)
        return step(self, batch, batch_idx)

    monkeypatch.setenv("LASASR_RUNS", str(workspace / "others"))
    with monkeypatch.context() as patch:
        patch.setattr(LMTraining, "training_step", interrupted)
        assert main(["train", "lm/synthetic_char", *SMALL]) == 128 + signal.SIGTERM
    (other,) = (workspace / "others" / "lm" / "synthetic_char").glob("*-s1-*")
    assert main(["train", "--resume", str(other)]) == 0
    whole, resumed = (load_file(folder / "bundle" / "model.safetensors") for folder in (run, other))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert "PPL/token" in capsys.readouterr().out


def test_its_scorer_fits_a_recognizer_with_its_tokenizer_alone(run: Path, tmp_path: Path) -> None:
    trained = TrainedLM.load(run / "bundle")
    scorer = language_model.scorer(str(run), trained.tokenizer)
    assert scorer.name == "lm"
    with pytest.raises(LasasrError, match=r"another tokenizer .*CharacterTokenizer, 7 tokens"):
        language_model.scorer(str(run), CharacterTokenizer.train(["abc"]))
    with pytest.raises(LasasrError, match=r"nothing\.arpa is missing"):
        language_model.scorer(str(tmp_path / "nothing.arpa"), trained.tokenizer)


def test_a_bundle_carries_the_models_that_its_search_names(run: Path, tmp_path: Path) -> None:
    config = {
        "_target_": "lasasr.search.beam.BeamSearch",
        "lm": str(run),
        "lm_weight": 0.2,
        "subtract": {"_target_": "lasasr.search.subtraction.Subtraction", "lm": str(run), "lm_weight": 0.1},
    }
    (tmp_path / "bundle").mkdir()
    stored = language_model.carried(config, tmp_path / "bundle")
    assert str(run) not in json.dumps(stored)
    moved = tmp_path / "elsewhere"
    (tmp_path / "bundle").rename(moved)
    tokenizer = TrainedLM.load(run / "bundle").tokenizer
    search = language_model.search(language_model.in_bundle(stored, moved), tokenizer)
    assert isinstance(search, BeamSearch)
    assert isinstance(search.lm.lm, LSTMLanguageModel)  # type: ignore[union-attr]
    assert search.subtract.lm is not None
    again = language_model.carried(language_model.in_bundle(stored, moved), moved)  # saved over itself
    assert again == stored


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["train", "synthetic/las_char", "corpus=text", "corpus.train=a", "corpus.dev=b"], 2, "no audio"),
        (["train", "lm/text_char"], 2, "corpus.dev is not set"),
        (["train", "lm/synthetic_char", "tokenizer=of_run"], 2, "tokenizer.run"),
        (["train", "lm/synthetic_char", "lm=transformer", "lm.heads=7", SMALL[0]], 2, "got 512 and 7"),
        (["train", "lm/librispeech_bpe5k"], 1, "librispeech-lm-norm"),
        (["evaluate", "RUN", "search.beam=4"], 2, "search.beam"),
        (["evaluate", "RUN", "-m", "evaluate.splits=[dev]"], 2, "-m"),
        (["evaluate", "RUN", "evaluate.splits=[test]"], 2, "evaluate.splits names test; the corpus has dev, train"),
        (["transcribe", "RUN", "a.wav"], 1, "language model"),
    ],
)
def test_wrong_requests_are_one_line(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, words: str
) -> None:
    assert main([str(run) if argument == "RUN" else argument for argument in arguments]) == status
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert words in message
    assert "internal error" not in message


def test_a_tokenizer_of_a_run_is_that_runs(run: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASASR_RUNS", str(workspace / "third"))
    (workspace / "own.txt").write_text("the dog sleeps\n" * 30)
    (workspace / "dev.txt").write_text("a dog waits\nthe zebra\n")
    options = [f"corpus.train={workspace}/own.txt", f"corpus.dev={workspace}/dev.txt", "corpus.layout=lines"]
    small = ["lm.hidden_dim=6", "lm.layers=1", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
    tokenizer = ["tokenizer=of_run", f"tokenizer.run={run}"]
    assert main(["train", "lm/text_char", *options, *small, *tokenizer]) == 0
    (other,) = (workspace / "third" / "lm" / "text_char").glob("*-s1-*")
    mine, theirs = (TrainedLM.load(folder / "bundle").tokenizer for folder in (other, run))
    assert language_model.same(mine, theirs)
    assert json.loads((other / "perplexity.json").read_text())["splits"]["dev"]["left_out_sentences"] == 1
