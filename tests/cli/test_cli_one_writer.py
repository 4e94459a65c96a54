"""Which verbs are refused while another process writes the run folder, and that they leave it as it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from loaded import recognition
from writers import writer

from lasasr.artifacts import run_choice
from lasasr.artifacts.runs import Run
from lasasr.cli.compose import compose
from lasasr.cli.main import main
from lasasr.models import factory
from lasasr.models.recognizer import Recognizer
from lasasr.tasks.recognition import RecognitionTask
from lasasr.text.character import CharacterTokenizer

RECIPE = "synthetic/las_char"
HELD = r"is being trained by process {} on \S+ since \d\d:\d\d; wait for it, or stop it with kill {}"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default folder of runs."""
    monkeypatch.setenv("LASASR_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("LASASR_PREPARED", str(tmp_path / "prepared"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs" / RECIPE


@pytest.fixture
def run(place: Path) -> Run:
    """A run of the recipe as it is, unfinished, with a bundle and a checkpoint."""
    config = compose(RECIPE)
    started = run_choice.run_for(config, [])
    started.start(config, [])
    Recognizer.build(factory.model_parts(recognition(**config)), CharacterTokenizer.train(["abc"]), "none/1").save(
        started.bundle
    )
    started.checkpoints.mkdir()
    torch.save({"state_dict": {}}, started.checkpoints / "last.ckpt")
    return started


@pytest.mark.parametrize(
    "words",
    [
        ["train", RECIPE],
        ["train", "--resume", "RUN"],
        ["evaluate", "RUN"],
        ["evaluate", "RUN", "search.beam=2,4", "-m"],
        ["average", "RUN", "--last", "1"],
    ],
)
def test_who_writes_is_refused(run: Run, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with writer(run.folder) as pid:
        before = contents(run.folder)
        assert main([str(run.folder) if word == "RUN" else word for word in words]) == 1
        assert contents(run.folder) == before
    captured = capsys.readouterr()
    assert re.fullmatch(f"lasasr: {run.folder} {HELD.format(pid, pid)}\n", captured.err), captured.err
    assert captured.out == ""


def test_who_reads_is_not(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with writer(run.folder):
        assert main(["export", str(run.folder), "--out", str(tmp_path / "bundle")]) == 0
        run.finish()
        assert main(["train", RECIPE]) == 0
    assert "is finished" in capsys.readouterr().out


def test_fresh_beside_a_live_run_has_a_folder_and_a_lock_of_its_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, set[str]]] = []

    def work(task: RecognitionTask, folder: Path, *_: Any) -> dict[str, Any]:
        seen.append((folder.name, {path.name for path in folder.iterdir()}))
        return {}

    monkeypatch.setattr(RecognitionTask, "train", work)
    with writer(run.folder):
        before = contents(run.folder)
        assert main(["train", RECIPE, "--fresh"]) == 0
        assert contents(run.folder) == before
    assert seen == [(f"{run.folder.name}-2", {".writer", "card.json", "config.yaml", "overrides.txt"})]
    assert not (run.folder.with_name(seen[0][0]) / ".writer").exists()


def test_a_sweep_leaves_out_the_job_that_another_process_trains(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(RecognitionTask, "train", lambda *_: {})
    held = run_choice.run_for(compose(RECIPE, ["seed=1"]), ["seed=1"]).folder
    with writer(held) as pid:
        assert main(["train", RECIPE, "-m", "seed=1,2"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert re.fullmatch(rf"lasasr: job 0 \(seed=1\) failed: {held} {HELD.format(pid, pid)}", said[0])
    assert said[1].startswith("lasasr: 1 job(s) failed, see above; lasasr train --resume ")
    assert [Run(path).status for path in sorted(place.glob("*-s[12]-*"))] == ["finished"]
