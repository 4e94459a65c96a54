"""The scripts for clusters: torchrun with two CPU ranks, SLURM with a stand-in for srun."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import TINY

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if path.suffix in (".sh", ".sbatch"))
SLURM = ROOT / "scripts" / "slurm_train.sbatch"
# what srun does for one task: options away, signals on
SRUN = """#!/usr/bin/env bash
while [[ $1 == --* ]]; do shift; done
"$@" &
trap 'kill -USR1 $!' USR1
wait $!; status=$?
while kill -0 $! 2> /dev/null; do wait $!; status=$?; done
exit $status
"""
# a training that ends at once when it is resumed, and else waits for a signal
TRAINING = """#!/usr/bin/env bash
printf '%s\\n' "$*" >> commands.txt
if [[ $* == *--resume* ]]; then exit "${RESUMED:-0}"; fi
trap 'exit 138' USR1
echo "run folder: runs/synthetic/las char/default-s1-0"
for _ in {1..600}; do sleep 0.05; done
exit 1
"""


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def cluster(tmp_path: Path) -> dict[str, str]:
    """An environment in which srun, scontrol and a training are stand-ins."""
    executable(tmp_path / "srun", SRUN)
    executable(tmp_path / "scontrol", '#!/usr/bin/env bash\nprintf "%s\\n" "$*" >> requeued.txt\n')
    training = executable(tmp_path / "training", TRAINING)
    path = f"{tmp_path}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "SLURM_JOB_ID": "77", "PYTHON": str(training)}


def submitted(cluster: dict[str, str], folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", str(SLURM), *words], env=cluster, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_valid_bash_and_says_how_to_call_it(script: Path) -> None:
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    assert os.access(script, os.X_OK)
    assert f"scripts/{script.name} " in script.read_text()


def test_a_job_whose_time_is_up_requeues_itself_and_goes_on(cluster: dict[str, str], tmp_path: Path) -> None:
    job = submitted(cluster, tmp_path, "synthetic/las_char", "trainer=ddp", "corpus.train=[a b]")
    assert job.stdout is not None
    assert "run folder" in job.stdout.readline()
    job.send_signal(signal.SIGUSR1)
    assert job.wait(30) == 138
    assert (tmp_path / "requeued.txt").read_text() == "requeue 77\n"
    assert submitted(cluster, tmp_path, "synthetic/las_char", "trainer=ddp").wait(30) == 0
    first, second = (tmp_path / "commands.txt").read_text().splitlines()
    assert first == "-m lasasr train synthetic/las_char trainer=ddp corpus.train=[a b]"
    assert second == "-m lasasr train --resume runs/synthetic/las char/default-s1-0"
    assert (tmp_path / "requeued.txt").read_text() == "requeue 77\n"


def test_a_job_that_fails_is_not_requeued(cluster: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "lasasr-77.run").write_text("runs/x\n")
    job = submitted({**cluster, "RESUMED": "1"}, tmp_path, "synthetic/las_char")
    assert job.wait(30) == 1
    assert not (tmp_path / "requeued.txt").exists()


def test_several_machines_need_to_know_where_to_meet() -> None:
    script = [str(ROOT / "scripts" / "torchrun.sh"), "train", "synthetic/las_char"]
    done = subprocess.run(script, env={**os.environ, "NODES": "2"}, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "MASTER: host:port" in done.stderr


@pytest.mark.slow
def test_torchrun_trains_on_two_ranks(environment: dict[str, str], tmp_path: Path) -> None:
    script = [str(ROOT / "scripts" / "torchrun.sh"), "train", "synthetic/las_char", *TINY, "trainer=ddp"]
    variables = {"PROCESSES": "2", "PYTHON": sys.executable, "LASASR_RUNS": str(tmp_path)}
    done = subprocess.run(script, env={**environment, **variables}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (card,) = (json.loads(path.read_text()) for path in tmp_path.rglob("card.json"))
    assert card["status"] == "finished"
