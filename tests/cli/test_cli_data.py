"""A run and its data: edited, moved, replaced or gone; each is said, and nothing is lost or mixed up."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from doctor_corpus import Corpus, Row, tone

from lasasr.artifacts import results
from lasasr.artifacts.run_card import RunCard
from lasasr.artifacts.runs import Run
from lasasr.cli.main import main
from lasasr.data import content_files

RECIPE = "synthetic/las_char"
SMALL = (
    "listen.hidden_dim=8",
    "spell.hidden_dim=8",
    "attend.dim=8",
    "batching.max_utterances=4",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=-1",
    "trainer.max_steps=2",
    "trainer.val_check_interval=2",
    "trainer.check_val_every_n_epoch=null",
    "checkpoint.best=2",
    "evaluate.maps=0",
    "validation.maps=0",
    "search=greedy",
)
TABLES = ("corpus=table", *(f"corpus.{split}=tables/{split}.jsonl" for split in ("train", "dev", "test")))
COMMAND = ("train", RECIPE, *TABLES, *SMALL)


class Place:
    """A folder with tables, and a run on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def run(self) -> Run:
        (found,) = (self.folder / "runs" / "synthetic" / "las_char").glob("*-s1-*")
        return Run(found)

    def edit(self, split: str, change: Callable[[list[Row]], Any]) -> None:
        table = self.folder / "tables" / f"{split}.jsonl"
        rows = [json.loads(line) for line in table.read_text().splitlines()]
        change(rows)
        table.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def unfinish(self, steps: int = 2) -> None:
        """As it was when its last checkpoint had been written; of as many steps as it was to have."""
        config = self.run.folder / "config.yaml"
        config.write_text(config.read_text().replace("max_steps: 2", f"max_steps: {steps}"))
        self.run.note(status="unfinished")
        shutil.rmtree(self.run.bundle)
        shutil.rmtree(self.run.results)

    def files(self) -> dict[str, bytes]:
        """All of the run."""
        return {str(path): path.read_bytes() for path in self.run.folder.rglob("*") if path.is_file()}

    def prepare(self) -> Path:
        """Prepare the tables here, alone; the folder that it is in."""
        shutil.rmtree(self.folder / "prepared")
        assert main(["prepare", RECIPE, *TABLES]) == 0
        (found,) = (one for one in (self.folder / "prepared").iterdir() if one.is_dir())
        return found

    def audio(self, name: str) -> Path:
        return self.folder / "tables" / f"{name}.wav"


def flip(path: Path) -> None:
    """Change one bit; the size stays."""
    held = bytearray(path.read_bytes())
    held[-1] ^= 1
    path.write_bytes(held)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "tables").mkdir()
    Corpus(folder / "tables", (8, 3, 3)).plain()
    with pytest.MonkeyPatch.context() as patch:
        at(patch, folder)
        assert main([*COMMAND]) == 0
    return folder


def at(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.chdir(folder)
    for name in ("PREPARED", "RUNS", "DATA"):
        patch.setenv(f"LASASR_{name}", name.lower())


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy, elsewhere: tables, prepared folder and run were moved."""
    shutil.copytree(trained, tmp_path / "copy")
    at(monkeypatch, tmp_path / "copy")
    return Place(tmp_path / "copy")


def test_card_and_checkpoints_hold_the_content_of_every_split(place: Place) -> None:
    data = place.run.card()["data"]
    assert set(place.run.card()) <= {key.name for key in fields(RunCard)}
    assert {name: one["utterances"] for name, one in data["splits"].items()} == {"train": 8, "dev": 3, "test": 3}
    contents = {name: one["content"] for name, one in data["splits"].items()}
    checkpoints = list(place.run.checkpoints.glob("*.ckpt"))
    assert len(checkpoints) >= 2
    for path in checkpoints:
        assert torch.load(path, weights_only=True)["SpeechDataModule"]["content"] == contents
    summary, _ = results.read(place.run.results, "test")
    assert summary["data"] == contents["test"]
    assert len(set(contents.values())) == 3


def test_moved_tables_are_the_same_data(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    before = place.files()
    assert main([*COMMAND]) == 0
    told = capfd.readouterr()
    assert "is finished" in told.out
    assert "note:" not in told.err
    assert place.files() == before


EDITS: dict[str, tuple[Callable[[list[Row]], Any], str]] = {
    "text": (lambda rows: rows[2].update(text="go up"), "1 text changed (first: {2})"),
    "speaker": (lambda rows: rows[1].update(speaker="another"), "1 speaker changed (first: {1})"),
    "end": (lambda rows: rows[0].update(start_s=0.1, end_s=1.0), "1 recording changed (first: {0})"),
    "audio": (lambda rows: rows[0].update(audio=rows[1]["audio"]), "1 recording changed (first: {0})"),
    "removed": (lambda rows: rows.pop(1), "1 utterance gone (first: {1})"),
    "added": (lambda rows: rows.append({**rows[0], "id": "more"}), "1 utterance new (first: more)"),
    "permuted": (lambda rows: rows.reverse(), "the same utterances in another order"),
}


@pytest.mark.parametrize(
    ("split", "edit"), [*(("train", edit) for edit in EDITS), ("dev", "text"), ("dev", "permuted")]
)
def test_a_finished_run_is_not_one_of_other_training_data(
    place: Place, capfd: pytest.CaptureFixture[str], split: str, edit: str
) -> None:
    change, how = EDITS[edit]
    ids = [f"{split}-{number:02d}" for number in (range(8) if split == "train" else range(8, 11))]
    place.edit(split, change)
    before = place.files()
    status = main([*COMMAND])
    told = capfd.readouterr()
    if (split, edit) == ("dev", "permuted"):  # whose order does not matter
        assert status == 0
        assert "note:" not in told.err
    else:
        assert status == 1
        assert f"its data have changed since it was trained ({split}: {how.format(*ids)})" in told.err.splitlines()[-1]
        assert "--fresh" in told.err
    assert place.files() == before


def test_a_finished_run_is_decoded_anew_on_an_edited_test_set(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    own = results.read(place.run.results, "test")
    place.edit("test", EDITS["text"][0])
    assert main([*COMMAND]) == 0
    told = capfd.readouterr()
    assert "test is not that of" in told.err
    assert "1 text changed (first: test-13)" in told.err
    assert "is finished" in told.out
    assert results.read(place.run.results, "test") == own
    (other,) = place.run.results.glob("test@*.json")
    summary = json.loads(other.read_text())
    assert summary["data"] != own[0]["data"]
    assert "go up" in other.with_suffix(".jsonl").read_text()
    before = place.files()
    assert main([*COMMAND]) == 0  # which is there by now
    told = capfd.readouterr()
    assert "1 text changed (first: test-13)" in told.err
    assert "decoding" not in told.err
    assert place.files() == before


@pytest.mark.parametrize("gone", ["tables", "prepared"])
def test_a_finished_run_is_shown_where_its_data_are_gone(
    place: Place, capfd: pytest.CaptureFixture[str], gone: str
) -> None:
    if gone == "prepared":  # and the tables are those of the run, as their paths say too
        data = place.run.card()["data"]
        place.run.note(data={**data, "corpus": place.prepare().name.removeprefix("table-")})
    shutil.move(place.folder / gone, place.folder / "away")
    before = place.files()
    capfd.readouterr()
    assert main([*COMMAND]) == 0
    told = capfd.readouterr()
    assert "note: its data could not be checked: " in told.err
    assert ("corpus.train=tables/train.jsonl is missing" if gone == "tables" else "is gone") in told.err
    assert "is finished" in told.out
    assert place.files() == before


def test_a_run_that_is_evaluated_elsewhere_says_where_its_corpus_was_looked_up(
    place: Place, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = ["evaluate", str(place.run.folder), "evaluate.splits=[dev]"]
    before, elsewhere = place.files(), tmp_path / "elsewhere"
    elsewhere.mkdir()
    with monkeypatch.context() as patch:
        patch.chdir(elsewhere)
        assert main([*command]) == 1
        told = capfd.readouterr().err.splitlines()[-1]
        assert told.startswith(
            f"lasasr: corpus.train=tables/train.jsonl is missing; looked up from {elsewhere}: call lasasr in the folder"
        )
        assert not [*elsewhere.glob("runs")]
        shutil.copytree(place.folder / "tables", elsewhere / "tables")  # it is looked up from there indeed
        assert main([*command, "evaluate.splits=[absent]"]) == 2
        assert "the corpus has dev, test, train" in capfd.readouterr().err
    assert place.files() == before
    assert main([*command]) == 0  # where the path starts


def forget_data(place: Place) -> None:
    """As 0.1.0 left card, checkpoints and prepared folder."""
    card = json.loads(place.run.card_path.read_text())
    card["data"].pop("splits")
    place.run.card_path.write_text(json.dumps(card))
    shutil.rmtree(place.run.folder / "data")
    for path in place.run.checkpoints.glob("*.ckpt"):
        held = torch.load(path, weights_only=True)
        held["SpeechDataModule"].pop("content")
        torch.save(held, path)
    for path in (place.folder / "prepared").glob("*/*.content-*"):
        path.unlink()


def test_a_run_of_before_says_that_its_data_are_unknown(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    forget_data(place)  # it was moved, so that the corpus has another fingerprint
    assert main([*COMMAND]) == 0
    told = capfd.readouterr()
    assert "its data could not be checked: it was begun by a version of lasasr that noted no content" in told.err
    assert main(["evaluate", str(place.run.folder)]) == 0
    assert "noted no content of its data, and the corpus has another fingerprint now" in capfd.readouterr().err


def test_a_run_of_before_is_resumed_and_noted(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    splits = place.run.card()["data"]["splits"]
    forget_data(place)
    place.unfinish()
    assert main(["train", "--resume", str(place.run.folder)]) == 0
    assert "noted no content of its data: it is noted from now on" in capfd.readouterr().err
    assert place.run.card()["data"]["splits"] == splits  # nothing was left to train: the checkpoint stays as it was


@pytest.mark.parametrize("edit", ["text", "permuted"])
def test_resuming_on_other_training_data_is_refused(place: Place, capfd: pytest.CaptureFixture[str], edit: str) -> None:
    place.unfinish()
    place.edit("train", EDITS[edit][0])
    before = place.files()
    assert main(["train", "--resume", str(place.run.folder)]) == 1
    error = capfd.readouterr().err.splitlines()[-1]
    assert "cannot go on: its data have changed since it was begun (train: " in error
    assert EDITS[edit][1].format(*(f"train-{number:02d}" for number in range(8))) in error
    assert place.files() == before


def test_a_card_that_was_edited_deceives_nobody(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    place.unfinish()
    place.edit("dev", EDITS["text"][0])
    (noted,) = place.prepare().glob("dev.content-*.json")
    data = place.run.card()["data"]
    data["splits"]["dev"]["content"] = json.loads(noted.read_text())["content"]
    place.run.note(data=data)
    assert main(["train", "--resume", str(place.run.folder)]) == 1
    assert "(dev: 1 text changed (first: dev-10))" in capfd.readouterr().err


def test_resuming_goes_on_where_only_what_is_evaluated_has_changed(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    place.unfinish()
    place.edit("test", EDITS["removed"][0])
    assert main(["train", "--resume", str(place.run.folder)]) == 0
    assert "note: test has changed since" in capfd.readouterr().err
    card = place.run.card()
    assert card["data"]["splits"]["test"]["utterances"] == 2
    summary, _ = results.read(place.run.results, "test")
    assert (summary["utterances"], summary["data"]) == (2, card["data"]["splits"]["test"]["content"])
    assert len(content_files.read_rows(place.run.folder / "data" / "test.rows.gz")) == 2


def test_replaced_audio_is_noticed_prepared_anew_and_then_refused(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    place.prepare()
    place.unfinish(steps=6)
    flip(place.audio("train-03"))
    before = place.files()
    assert main(["train", "--resume", str(place.run.folder)]) == 1
    error = capfd.readouterr().err.splitlines()[-1]
    assert f"utterance train-03: {place.audio('train-03')} has changed since it was prepared" in error
    assert main(["prepare", RECIPE, *TABLES]) == 0
    assert f"train: {place.audio('train-03')} has changed since it was prepared" in capfd.readouterr().err
    assert main(["prepare", RECIPE, *TABLES]) == 0  # once
    assert "has changed" not in capfd.readouterr().err
    assert main(["train", "--resume", str(place.run.folder)]) == 1
    assert "(train: 1 recording changed (first: train-03))" in capfd.readouterr().err
    after = place.files()
    assert {name: after[name] for name in before if "tensorboard" not in name and "card" not in name} == {
        name: held for name, held in before.items() if "tensorboard" not in name and "card" not in name
    }


def test_replaced_audio_is_noticed_in_an_evaluation(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    place.prepare()
    own = (place.run.results / "test.json").read_bytes()
    with place.audio("test-12").open("ab") as file:
        file.write(b"\0\0")
    assert main(["evaluate", str(place.run.folder)]) == 1
    assert "utterance test-12" in capfd.readouterr().err.splitlines()[-1]
    assert (place.run.results / "test.json").read_bytes() == own


def test_never_is_silent(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    place.prepare()
    flip(place.audio("train-03"))
    assert main([*COMMAND, "loading.verify=never"]) == 0
    assert "has changed" not in capfd.readouterr().err


def test_longer_audio_is_prepared_with_its_new_length(place: Place) -> None:
    place.prepare()
    soundfile.write(place.audio("dev-08"), tone(1, 3.0), 16_000, subtype="PCM_16")
    main(["prepare", RECIPE, *TABLES])
    (manifest,) = (place.folder / "prepared").glob("*/dev.jsonl.gz")
    with gzip.open(manifest, "rt") as lines:
        lengths = {cut["id"]: cut["duration"] for cut in map(json.loads, lines)}
    assert lengths["dev-08"] == 3.0


def test_evaluating_other_data_is_said(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    place.edit("test", EDITS["removed"][0])
    assert main(["evaluate", str(place.run.folder)]) == 0
    assert "note: test is not that of" in (told := capfd.readouterr().err)
    assert "1 utterance gone (first: test-12)" in told
    assert (place.run.results / "test.json").exists()
    assert len(list(place.run.results.glob("test@*.json"))) == 1


def test_checkpoints_of_other_data_are_not_averaged(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    (path,) = place.run.checkpoints.glob("step=*.ckpt")
    held = torch.load(path, weights_only=True)
    held["SpeechDataModule"]["content"]["train"] = "0" * 16
    torch.save(held, path)
    assert main(["average", str(place.run.folder), "--last", "1"]) == 1
    assert f"{path} was trained on other data than" in capfd.readouterr().err
    held["SpeechDataModule"]["content"]["train"] = place.run.card()["data"]["splits"]["train"]["content"]
    torch.save(held, path)
    assert main(["average", str(place.run.folder), "--last", "1"]) == 0
    mean = Run(place.run.folder / "average-last1")
    assert mean.card()["data"] == place.run.card()["data"]
    place.edit("test", EDITS["text"][0])
    assert main(["evaluate", str(mean.folder)]) == 0
    assert "test is not that of" in capfd.readouterr().err
    assert not (mean.results / "test.json").exists()


def test_moved_tables_are_compared(place: Place, trained: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(place.run.results)
    assert main(["evaluate", str(place.run.folder)]) == 0
    one, other = (Place(folder).run for folder in (place.folder, trained))
    corpora = {results.read(run.results, "test")[0]["corpus"] for run in (one, other)}
    assert len(corpora) == 2
    assert main(["diff", str(one.folder), str(other.folder)]) == 0
    for split in ("test.json", "test.jsonl"):
        (one.results / split).unlink()
    flip(place.audio("test-12"))
    place.prepare()
    one.note(results={}, data={})  # whatever it was, its own result is that of today's data now
    assert main(["evaluate", str(one.folder)]) == 0
    assert main(["diff", str(one.folder), str(other.folder)]) == 1
    assert "the runs' recordings differ (contents " in capfd.readouterr().err


def test_a_trial_on_a_few_utterances_knows_those_few(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    trial = [*COMMAND, "debug=overfit", "debug.overfit_utterances=3"]
    assert main(trial) == 0
    (run,) = (
        Run(path.parent)
        for path in (place.folder / "runs").rglob("card.json")
        if json.loads(path.read_text())["data"]["splits"]["train"]["utterances"] == 3
    )
    splits = run.card()["data"]["splits"]
    assert splits["test"] == splits["dev"]
    place.edit("train", lambda rows: rows[5].update(text="go"))  # which is none of the three
    assert main(trial) == 0
    assert "is finished" in capfd.readouterr().out
    place.edit("train", lambda rows: rows[2].update(text="go"))
    assert main(trial) == 1
    assert "train: 1 text changed (first: train-02); dev: 1 text changed" in capfd.readouterr().err
