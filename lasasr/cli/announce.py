"""What a command does is said before torch is loaded, which takes seconds of silence."""

from __future__ import annotations

import sys

from lasasr.distributed import launch


def announce(subject: str, work: str) -> None:
    """Print one line if torch is still to be loaded; of several processes the first speaks.

    Args:
        subject: what the command was given.
        work: what comes first.
    """
    if launch.helper() is None and "torch" not in sys.modules:
        print(f"{subject}: loading torch, {work} ...", flush=True)
