"""`lasasr average`: from a run's checkpoints to a run folder that every other verb takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from loaded import recognition
from safetensors.torch import load_file

from lasasr.artifacts.run_paths import bundle_folder, find_run
from lasasr.artifacts.runs import Run
from lasasr.cli.compose import compose
from lasasr.cli.main import main
from lasasr.models import factory
from lasasr.models.recognizer import Recognizer
from lasasr.text.character import CharacterTokenizer
from lasasr.training.averaging import PREFIX

RATES = {100: 30.0, 200: 10.0, 300: 10.0, 400: 20.0}  # step → dev error rate


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A finished run with four checkpoints; that of step 100·n has every weight equal to n."""
    config = compose("synthetic/las_char", ["listen.hidden_dim=4", "spell.hidden_dim=4", "attend.dim=4"])
    made = Run(tmp_path / "run")
    made.start(config, [])
    made.finish(parameters=7, precision="32-true")
    recognizer = Recognizer.build(
        factory.model_parts(recognition(**config)), CharacterTokenizer.train(["abc"]), "none/1"
    )
    recognizer.save(made.bundle)
    made.checkpoints.mkdir()
    for step, rate in RATES.items():
        state = {f"{PREFIX}{name}": torch.full_like(one, step / 100) for name, one in recognizer.state_dict().items()}
        torch.save({"state_dict": state}, made.checkpoints / f"step={step}-wer={rate:.2f}.ckpt")
        torch.save({"state_dict": state}, made.checkpoints / "last.ckpt")
    return made


def value(folder: Path) -> float:
    """What every weight of a bundle is."""
    (found,) = {one for tensor in load_file(folder / "model.safetensors").values() for one in tensor.unique().tolist()}
    return float(found)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (["--best", "2"], 2.5),
        (["--best", "1"], 3.0),
        (["--last", "2"], 3.5),
        (["--last=3"], 3.0),
        (["--best", "4"], 2.5),
    ],
)
def test_the_right_checkpoints_are_averaged(run: Run, tmp_path: Path, asked: list[str], expected: float) -> None:
    assert main(["average", str(run.folder), *asked, "--out", str(tmp_path / "mean")]) == 0
    assert value(tmp_path / "mean" / "bundle") == expected


def test_the_mean_is_a_run_and_the_run_stays_as_it_is(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    assert main(["average", str(run.folder), "--best", "2"]) == 0
    made = find_run(run.folder / "average-best2")
    assert f"lasasr evaluate {made.folder}" in capsys.readouterr().out
    assert made.status == "finished"
    assert made.config() == run.config()
    card = made.card()
    assert card.parameters == 7
    assert card.averaged is not None
    assert list(card.averaged.checkpoints) == ["step=200-wer=10.00.ckpt", "step=300-wer=10.00.ckpt"]
    assert value(bundle_folder(made.folder)) == 2.5
    Recognizer.load(made.bundle)
    assert {path: path.read_bytes() for path in before} == before
    assert not list(run.folder.glob(".average*"))


def test_nothing_is_overwritten(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["average", str(run.folder), "--best", "2"]) == 0
    assert main(["average", str(run.folder), "--best", "2"]) == 1
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "status", "message"),
    [
        (["--best", "5"], 1, "keeps 4 validated checkpoints, 5 are asked for; train with checkpoint.best=5"),
        (["--last", "9"], 1, "checkpoint.best=-1"),
        (["--best", "0"], 2, "--best must be at least 1, got 0"),
        ([], 2, "either --best N or --last N"),
        (["--best", "2", "--last", "2"], 2, "either --best N or --last N"),
        (["--best", "two"], 2, "invalid int value"),
    ],
)
def test_a_wrong_request_is_one_line(
    run: Run, capsys: pytest.CaptureFixture[str], asked: list[str], status: int, message: str
) -> None:
    assert main(["average", str(run.folder), *asked]) == status
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_a_refusal_leaves_nothing_behind(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (run.checkpoints / "step=200-wer=10.00.ckpt").write_bytes(b"no checkpoint")
    assert main(["average", str(run.folder), "--best", "2"]) == 1
    assert "step=200-wer=10.00.ckpt is damaged" in capsys.readouterr().err
    assert not [path for path in run.folder.iterdir() if "average" in path.name]


def test_an_unfinished_run_says_so(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (run.bundle / "model.safetensors").unlink()
    assert main(["average", str(run.folder), "--best", "2"]) == 1
    assert "has no bundle yet" in capsys.readouterr().err


def test_the_source_is_named_in_the_card(run: Run) -> None:
    assert main(["average", str(run.folder), "--last", "1"]) == 0
    card = json.loads((run.folder / "average-last1" / "card.json").read_text())
    assert card["averaged"]["run"] == "run"
