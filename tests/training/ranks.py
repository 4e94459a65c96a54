"""Runs of the command on two CPU ranks, and their processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from commandline import TINY

TWO = (*TINY, "trainer=ddp", "trainer.accelerator=cpu", "trainer.max_epochs=6", "listen.dropout=0.1")
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "lasasr")
TRAIN = (*TORCHRUN, "train", "synthetic/las_char", *TWO)


def started(command: tuple[str, ...], environment: dict[str, str], **variables: str) -> subprocess.Popen[str]:
    """The command in a process group of its own, its output in pipes."""
    return subprocess.Popen(
        command,
        env={**environment, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def process_of_rank(launcher: int, rank: int) -> int:
    """The id of a child of torchrun."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    for child in map(int, children):
        if f"RANK={rank}".encode() in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
            return child
    raise AssertionError(f"no rank {rank} among {children}")


def alive(process: int) -> bool:
    """Whether it runs still."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def run_folder(runs: Path) -> Path:
    """The only run there is."""
    (found,) = (runs / "synthetic" / "las_char").iterdir()
    return found
