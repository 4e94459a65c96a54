"""Other processes that write a run folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOLD = """
import sys
from pathlib import Path
from lasasr.artifacts.run_lock import writing

with writing(Path(sys.argv[1]), sys.argv[2]):
    {inside}
    print("inside", flush=True)
    sys.stdin.read()
"""


def start_writer(folder: Path, work: str = "trained", inside: str = "pass") -> subprocess.Popen[str]:
    """A process that holds the lock of the run folder until its standard input is closed.

    Args:
        inside: Python that it runs with the lock held.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(inside=inside), str(folder), work],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line == "inside\n":
            return process
    raise AssertionError(f"no lock on {folder}")


def end_writer(process: subprocess.Popen[str]) -> None:
    """In order."""
    process.communicate(timeout=30)
    assert process.returncode == 0


@contextmanager
def writer(folder: Path, work: str = "trained") -> Iterator[int]:
    """The id of a process that holds the lock of the run folder for as long as the block lasts."""
    process = start_writer(folder, work)
    try:
        yield process.pid
    finally:
        end_writer(process)
