"""The text of a language model's run: edited, moved or gone."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from lasasr.artifacts.run_card import RunCard
from lasasr.artifacts.runs import Run
from lasasr.cli.main import main

SENTENCES = ("one two three", "two three four", "three one", "four four two", "one one one", "two four")
COMMAND = (
    "train",
    "lm/synthetic_char",
    "corpus=text",
    "corpus.train=text/train.txt",
    "corpus.dev=text/dev.txt",
    "corpus.test=text/test.txt",
    "evaluate.splits=[test]",
    "lm.hidden_dim=8",
    "trainer.max_epochs=-1",
    "trainer.max_steps=2",
    "trainer.val_check_interval=1",
    "trainer.accelerator=cpu",
)


def at(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.chdir(folder)
    for name in ("PREPARED", "RUNS", "DATA"):
        patch.setenv(f"LASASR_{name}", name.lower())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lm-data")
    (folder / "text").mkdir()
    for shift, split in enumerate(("train", "dev", "test")):
        turned = SENTENCES[shift:] + SENTENCES[:shift]
        (folder / "text" / f"{split}.txt").write_text("\n".join(turned) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        at(patch, folder)
        assert main([*COMMAND]) == 0
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A copy, elsewhere; its text is in `text`."""
    shutil.copytree(trained, tmp_path / "copy")
    at(monkeypatch, tmp_path / "copy")
    (folder,) = Path("runs/lm/synthetic_char").glob("*-s1-*")
    return Run(folder)


def edit(split: str, before: str, after: str) -> None:
    path = Path("text") / f"{split}.txt"
    path.write_text(path.read_text().replace(before, after, 1))


def test_card_and_checkpoints_hold_the_content_of_every_split(run: Run) -> None:
    splits = run.card()["data"]["splits"]
    assert set(run.card()) <= {key.name for key in fields(RunCard)}
    assert {name: facts["utterances"] for name, facts in splits.items()} == {"train": 6, "dev": 6, "test": 6}
    assert splits["dev"]["content"] == splits["test"]["content"]  # the same sentences, in whatever order
    assert splits["train"]["content"] != splits["dev"]["content"]  # whose order counts
    held = torch.load(run.checkpoints / "last.ckpt", weights_only=True)["TextDataModule"]["content"]
    assert held == {name: facts["content"] for name, facts in splits.items()}


def test_moved_text_is_the_same(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND]) == 0
    printed = capfd.readouterr()
    assert "is finished" in printed.out
    assert "note:" not in printed.err


def test_other_training_text_is_refused(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    edit("train", "two three four", "two three one")
    assert main([*COMMAND]) == 1
    assert "(train: other content in 6 sentences)" in capfd.readouterr().err
    edit("train", "two three one\n", "")
    run.note(status="unfinished")
    before = (run.folder / "card.json").read_bytes()
    assert main(["train", "--resume", str(run.folder)]) == 1
    assert "cannot go on: its data have changed since it was begun (train: 5 sentences, 6 before)" in (
        capfd.readouterr().err
    )
    assert (run.folder / "card.json").read_bytes() == before


def test_what_the_rule_undoes_is_no_edit(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    edit("train", "two three four", "Two, three FOUR!\n\n")
    assert main([*COMMAND]) == 0
    assert "note:" not in capfd.readouterr().err


def test_other_text_to_measure_is_measured_beside(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    own = json.loads((run.folder / "perplexity.json").read_text())
    edit("test", "three one", "three")
    assert main([*COMMAND]) == 0
    printed = capfd.readouterr()
    assert "note: test is not that of" in printed.err
    assert json.loads((run.folder / "perplexity.json").read_text()) == own
    (other,) = run.folder.glob("perplexity@*.json")
    measured = other.stat().st_mtime_ns
    assert main([*COMMAND]) == 0
    assert "note: test is not that of" in capfd.readouterr().err
    assert other.stat().st_mtime_ns == measured


def test_text_that_is_gone_is_said(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.move("text", "away")
    assert main([*COMMAND]) == 0
    assert "its data could not be checked: corpus.test: " in capfd.readouterr().err
