"""One of two ranks fails, hangs or computes nonsense: both end, soon, and one line says why."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from commandline import Command
from ranks import TORCHRUN, TRAIN, run_folder, started

from lasasr.training.non_finite_guard import MOST_IN_A_ROW

pytestmark = pytest.mark.slow
FAULTY = """
import os, time, torch
from lasasr.attend.content import DotAttention
from lasasr.errors import LasasrError

class Faulty(DotAttention):
    def forward(self, query, memory, state):
        found = super().forward(query, memory, state)
        if not self.training or os.environ["RANK"] != "1":
            return found
        match os.environ["FAULT"]:
            case "nan":
                return found._replace(context=found.context * torch.nan)
            case "fails":
                raise LasasrError("utterance x is damaged")
            case "breaks":
                raise ZeroDivisionError("a bug")
            case "hangs":
                time.sleep(300)
"""


def faulty(fault: str, environment: dict[str, str], folder: Path, *more: str) -> tuple[int, str]:
    """Train with it; exit status, and what was said."""
    (folder / "faulty.py").write_text(FAULTY)
    variables = {"PYTHONPATH": str(folder), "LASASR_ALLOW": "faulty", "FAULT": fault, "LASASR_RUNS": str(folder)}
    variables["PYTHONPATH"] += f":{environment.get('PYTHONPATH', '')}"
    command = (*TRAIN, "attend=dot", "attend._target_=faulty.Faulty", "trainer.max_epochs=20", *more)
    process = started(command, environment, **variables)
    out, err = process.communicate(timeout=240)
    return process.returncode, out + err


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("fails", "lasasr: rank 1: utterance x is damaged"),
        ("breaks", "lasasr: rank 1: attend (faulty.Faulty): ZeroDivisionError: a bug ({at}) (-v shows the traceback)"),
    ],
)
def test_what_fails_on_one_rank_is_said_once_and_ends_all(
    environment: dict[str, str], tmp_path: Path, fault: str, line: str
) -> None:
    status, said = faulty(fault, environment, tmp_path)
    number = 1 + next(n for n, text in enumerate(FAULTY.splitlines()) if "ZeroDivisionError" in text)
    assert status == 1
    assert said.splitlines().count(line.format(at=f"{tmp_path / 'faulty.py'}:{number}")) == 1, said
    assert said.count("lasasr: another rank has ended") <= 1
    assert json.loads((run_folder(tmp_path) / "card.json").read_text())["status"] == "unfinished"


def test_a_rank_that_hangs_is_given_up_after_the_configured_time(environment: dict[str, str], tmp_path: Path) -> None:
    status, said = faulty("hangs", environment, tmp_path, "trainer.strategy.timeout_s=15.0")
    assert status == 1
    assert said.count("lasasr: another rank has ended or hangs") == 1, said


def test_nonsense_on_one_rank_is_refused_by_both(environment: dict[str, str], tmp_path: Path) -> None:
    status, said = faulty("nan", environment, tmp_path)
    assert status == 1
    assert said.count("this update is left out") == MOST_IN_A_ROW - 1, said
    assert len(re.findall(r"lasasr: the loss is not finite at step \d+ for .* times in a row", said)) == 1, said
    kept = sorted((run_folder(tmp_path) / "refused").iterdir())
    assert [path.name for path in kept] == [f"step-{step}-rank-1.pt" for step in range(MOST_IN_A_ROW)]
    (batch,) = torch.load(kept[0], weights_only=True)
    assert batch["ids"][0] in said
    assert "in a row" in json.loads((run_folder(tmp_path) / "card.json").read_text())["diverged"]


def test_what_all_ranks_meet_is_said_once(environment: dict[str, str], tmp_path: Path) -> None:
    recipe = (*TORCHRUN, "train", "librispeech/las_mini", "trainer=ddp", "trainer.accelerator=cpu")
    process = started(recipe, environment, LASASR_RUNS=str(tmp_path))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert (out + err).count("there is no LibriSpeech") == 1, out + err


def test_one_rank_prepares_and_the_other_waits(environment: dict[str, str], tmp_path: Path, lasasr: Command) -> None:
    places = {"LASASR_RUNS": str(tmp_path / "runs"), "LASASR_PREPARED": str(tmp_path / "prepared")}
    process = started((*TRAIN, "trainer.max_epochs=1"), environment, **places)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    for task in ("rendering train", "rendering dev", "rendering test"):
        assert len(re.findall(f"{task} .*: done", err)) == 1, err
    folder = run_folder(tmp_path / "runs")
    assert json.loads((folder / "card.json").read_text())["status"] == "finished"


def test_a_trainer_for_one_process_is_refused_where_two_were_started(
    environment: dict[str, str], tmp_path: Path
) -> None:
    two = [one for one in TRAIN if one != "trainer=ddp"]
    process = started((*two,), environment, LASASR_RUNS=str(tmp_path))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1  # torchrun's; lasasr's is 2
    assert (out + err).count("add trainer=ddp") == 1, out + err
