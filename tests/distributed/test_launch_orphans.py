"""A rank whose parent is killed ends within seconds, silently; what is no rank lives on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PATIENCE_S = 10.0
RANK = """
import sys, time
from pathlib import Path
from lasasr import cli, errors
from lasasr.cli import main

class Verb:
    @staticmethod
    def run(arguments):
        Path(sys.argv[1]).write_text("inside")
        time.sleep(float(sys.argv[2]))
        raise errors.LostRankError("another rank has ended")

sys.modules["lasasr.cli.train"] = Verb
raise SystemExit(main.main(["train"]))
"""
LAUNCHER = """
import subprocess, sys, time
rank = subprocess.Popen([sys.executable, "-c", sys.argv[1], *sys.argv[3:]])
open(sys.argv[2], "w").write(str(rank.pid))
time.sleep(60)
"""


def await_text(path: Path) -> str:
    end = time.monotonic() + 30.0
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end, f"{path} was not written"
        time.sleep(0.01)
    return path.read_text()


def runs_still(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"  # nobody may collect it


def orphan(folder: Path, sleeping_s: float, variables: dict[str, str]) -> tuple[bool, str]:
    """Kill the parent of a rank; whether the rank lives after `PATIENCE_S`, or less if it ends, and what it printed."""
    environment = {key: value for key, value in os.environ.items() if key not in ("RANK", "LOCAL_RANK", "NODE_RANK")}
    words = [sys.executable, "-c", LAUNCHER, RANK, str(folder / "pid"), str(folder / "inside"), str(sleeping_s)]
    with (folder / "output").open("w") as output:
        launcher = subprocess.Popen(words, env={**environment, **variables}, stdout=output, stderr=output)
    await_text(folder / "inside")
    pid = int(await_text(folder / "pid"))
    launcher.kill()
    launcher.wait()
    end = time.monotonic() + (PATIENCE_S if variables else 2.5)
    while runs_still(pid) and time.monotonic() < end:
        time.sleep(0.05)
    alive = runs_still(pid)
    if alive:
        os.kill(pid, 9)
    return alive, (folder / "output").read_text()


@pytest.mark.parametrize(
    "variables",
    [
        {"LOCAL_RANK": "1"},  # Lightning's
        {"RANK": "1", "TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"},
        {"RANK": "0", "TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"},
        {"SLURM_PROCID": "0", "SLURM_NTASKS": "2", "SLURM_NNODES": "1", "SLURM_JOB_NAME": "x"},
    ],
    ids=["lightning", "torchrun-1", "torchrun-0", "srun-0"],
)
def test_an_orphaned_rank_ends_silently(tmp_path: Path, variables: dict[str, str]) -> None:
    assert orphan(tmp_path, 60.0, variables) == (False, "")


def test_what_an_orphan_meets_of_the_others_is_not_said(tmp_path: Path) -> None:
    leading = {"RANK": "0", "TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    assert orphan(tmp_path, 0.5, leading) == (False, "")


def test_a_process_that_is_no_rank_outlives_its_shell(tmp_path: Path) -> None:
    assert orphan(tmp_path, 60.0, {}) == (True, "")
