"""How this process was started: alone, or as one of the ranks of torchrun, srun or Lightning. No torch needed."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import NamedTuple

LOOK_FOR_PARENT_S = 1.0
INTERACTIVE = ("bash", "interactive")  # SLURM jobs in which a person types: nothing was started for them


class Shape(NamedTuple):
    """What a launcher started."""

    nodes: int
    processes: int  # on each node

    @property
    def world(self) -> int:
        """Ranks."""
        return self.nodes * self.processes


def launched() -> Shape | None:
    """What torchrun or srun started; None: this process is alone, or Lightning starts the others."""
    variables = os.environ
    if by_torchrun():
        processes = int(variables["LOCAL_WORLD_SIZE"])
        return Shape(int(variables["WORLD_SIZE"]) // processes, processes)
    if int(variables.get("SLURM_NTASKS", "1")) > 1 and variables.get("SLURM_JOB_NAME") not in INTERACTIVE:
        nodes = int(variables.get("SLURM_NNODES", "1"))
        return Shape(nodes, int(variables["SLURM_NTASKS"]) // nodes)
    return None


def by_torchrun() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def helper() -> str | None:
    """The name of this process ("rank 3") if another one leads the run (writes its folder and prints); None: it leads.

    Lightning starts the other processes of a node itself where no launcher did, and numbers them by LOCAL_RANK.
    """
    for number in ("RANK", "SLURM_PROCID"):
        if number in os.environ:
            return f"rank {os.environ[number]}" if int(os.environ[number]) else None
    node, process = (int(os.environ.get(name, "0")) for name in ("NODE_RANK", "LOCAL_RANK"))
    if node:
        return f"node {node}, rank {process} of it"
    return f"rank {process}" if process else None


def say(line: str) -> None:
    """Write a line to standard error, unless another process leads the run: what all of them would say is said once."""
    if helper() is None:
        sys.stderr.write(f"{line}\n")


_parent: int | None = None  # that started this rank; None: it need not end with its parent


def end_with_parent() -> None:
    """Have this process, if it is one of several ranks, end within seconds of whatever started it, however that ended.

    A launcher that is killed cannot end its ranks, and the ranks that Lightning starts would outlive a first one that
    is killed. They end at once and silently: files are written whole or not at all, and the others end too.
    """
    global _parent
    if _parent is None and (launched() or helper()):
        _parent = os.getppid()
        threading.Thread(target=_end_once_orphaned, daemon=True).start()


def orphaned() -> bool:
    """Whether this is a rank whose parent has ended."""
    return _parent is not None and os.getppid() != _parent


def _end_once_orphaned() -> None:
    while not orphaned():
        time.sleep(LOOK_FOR_PARENT_S)
    os._exit(1)
