"""Stopped by a signal, continued, and the same as if nothing had happened."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from commandline import TINY, Command
from warm_command import WarmCommands

MORE = (
    *TINY,
    "trainer.max_epochs=4",
    "validation.maps=0",
    "evaluate.maps=0",
    "augment=specaugment_ld",
    "listen.dropout=0.1",
    "sampling.most=0.2",
    "search=greedy",
)
IN_THE_THIRD_EPOCH = r"epoch +1 "  # printed as it begins, or nearly
SIGNALLED = Path(__file__).with_name("signalled.py")


def last(folder: Path) -> dict[str, Any]:
    saved: dict[str, Any] = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return saved


@pytest.fixture(scope="module")
def undisturbed(lasasr: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The last checkpoint of the run that nothing stopped."""
    runs = tmp_path_factory.mktemp("whole")
    done = lasasr("train", "synthetic/las_char", *MORE, LASASR_RUNS=str(runs))
    assert done.returncode == 0, done.stderr
    (folder,) = (runs / "synthetic" / "las_char").iterdir()
    return last(folder)


def interrupted_from_outside(environment: dict[str, str], folder: Path) -> tuple[int, str]:
    """A new process gets SIGINT; its exit status and all that it said."""
    command = [sys.executable, "-m", "lasasr", "train", "synthetic/las_char", *MORE]
    process = subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
    )
    assert process.stderr is not None
    for line in process.stderr:
        if re.search(IN_THE_THIRD_EPOCH, line):
            os.kill(process.pid, signal.SIGINT)
            break
    out, err = process.communicate(timeout=120)
    return process.returncode, out + err


def terminated(warm_commands: WarmCommands, environment: dict[str, str], folder: Path) -> tuple[int, str]:
    """A forked process gets SIGTERM."""
    words = [str(int(signal.SIGTERM)), IN_THE_THIRD_EPOCH, "train", "synthetic/las_char", *MORE]
    done = warm_commands.run_script(SIGNALLED, words, folder, environment)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_a_resumed_run_ends_bit_identical(
    undisturbed: dict[str, Any],
    environment: dict[str, str],
    warm_commands: WarmCommands,
    lasasr: Command,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    broken = {**environment, "LASASR_RUNS": str(tmp_path / "broken")}
    if number == signal.SIGINT:
        status, said = interrupted_from_outside(broken, tmp_path)
    else:
        status, said = terminated(warm_commands, broken, tmp_path)
    assert status == 128 + number, said
    assert "--resume" in said
    (folder,) = (tmp_path / "broken" / "synthetic" / "las_char").iterdir()
    stopped_at = last(folder)["global_step"]
    again = lasasr("train", "synthetic/las_char", *MORE, LASASR_RUNS=str(tmp_path / "broken"))
    assert again.returncode == 1
    assert "--resume" in again.stderr
    resumed = lasasr("train", "--resume", str(folder))
    assert resumed.returncode == 0, resumed.stderr
    expected, found = undisturbed, last(folder)
    assert 0 < stopped_at < found["global_step"] == expected["global_step"]
    assert all(torch.equal(value, found["state_dict"][name]) for name, value in expected["state_dict"].items())
    assert found["callbacks"]["AlignmentWatch"] == expected["callbacks"]["AlignmentWatch"]
