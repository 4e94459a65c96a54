"""SIGKILL at random moments, some of them while a checkpoint is written: continued, the run is the uninterrupted one.

`LASASR_KILLS` says how many (CONTRIBUTING.md).
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from commandline import TINY
from ranks import run_folder

KILLS = int(os.environ.get("LASASR_KILLS", "5"))
LONG = (
    *TINY,
    f"trainer.max_epochs={2 * KILLS}",
    "trainer.check_val_every_n_epoch=5",
    "trainer.accumulate_grad_batches=2",
    "batching.max_utterances=4",
    "augment=specaugment_ld",
    "listen.dropout=0.1",
    "sampling.most=0.2",
    "checkpoint.every_s=0",  # a checkpoint after every update
    "checkpoint.best=2",
)
PATIENCE_S = 120.0


def await_checkpoints(folder: Path, number: int, process: subprocess.Popen[bytes]) -> None:
    """Until that many checkpoints have been written from now on, or the run has ended."""
    end, last, seen = time.monotonic() + PATIENCE_S, folder / "last.ckpt", 0
    written = last.stat().st_mtime_ns if last.exists() else 0
    while seen < number and process.poll() is None:
        assert time.monotonic() < end, "no checkpoint was written"
        time.sleep(0.001)
        now = last.stat().st_mtime_ns if last.exists() else written
        seen, written = seen + (now != written), now


def await_writing(folder: Path, process: subprocess.Popen[bytes]) -> bool:
    """Until one is being written."""
    while process.poll() is None:
        if any(folder.glob(".last.ckpt*.tmp")):
            return True
    return False


def train_on(command: list[str], environment: dict[str, str]) -> None:
    """To the end."""
    whole = [sys.executable, "-m", "lasasr", *command]
    done = subprocess.run(whole, env=environment, capture_output=True, text=True, timeout=60.0 * KILLS, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_killed_at_random_moments_a_run_ends_bit_identical(environment: dict[str, str], tmp_path: Path) -> None:
    whole, broken = ({**environment, "LASASR_RUNS": str(tmp_path / name)} for name in ("whole", "broken"))
    train_on(["train", "synthetic/las_char", *LONG], whole)
    expected = run_folder(tmp_path / "whole")
    folder = tmp_path / "broken" / expected.relative_to(tmp_path / "whole")
    chance, inside = random.Random(0), 0
    command = ["train", "synthetic/las_char", *LONG]
    for kill in range(KILLS):
        with (tmp_path / "output.txt").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "lasasr", *command], env=broken, stdout=output, stderr=output
            )
        await_checkpoints(folder / "checkpoints", chance.randint(1, 4), process)
        if kill % 2 == 0:
            inside += await_writing(folder / "checkpoints", process)
        else:
            time.sleep(chance.uniform(0.0, 0.3))
        assert process.poll() is None, f"ended before it was killed: {(tmp_path / 'output.txt').read_text()}"
        process.kill()
        process.wait()
        command = ["train", "--resume", str(folder)]
    assert inside == (KILLS + 1) // 2
    train_on(command, broken)
    weights = [torch.load(one / "checkpoints" / "last.ckpt", weights_only=True) for one in (expected, folder)]
    for name in ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch"):
        torch.testing.assert_close(weights[1][name], weights[0][name], rtol=0, atol=0)
    cards = [json.loads((one / "card.json").read_text()) for one in (expected, folder)]
    assert cards[0]["validations"] == cards[1]["validations"]
    names = [sorted(path.name for path in (one / "checkpoints").iterdir()) for one in (expected, folder)]
    assert names[0] == names[1]  # no second copies, nothing half written
    for name in ("bundle/model.safetensors", "results/test.jsonl"):
        assert (expected / name).read_bytes() == (folder / name).read_bytes()
