"""How far `lasasr transcribe` has come: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class TranscribeProgress:
    """A bar that counts recordings, with the speed so far; results are printed above it.

    Args:
        total: recordings.
    """

    def __init__(self, total: int) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        drawn = console.is_terminal and total > 1
        # what goes to a file must not be sent through the console of the bar
        shared = sys.stdout.isatty()
        bar = Progress(*columns, console=console, redirect_stdout=shared, transient=True)
        self._bar = bar if drawn else None
        self._task = bar.add_task("transcribing", total=total)
        self._begin = time.perf_counter()

    def __enter__(self) -> TranscribeProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, audio_s: float) -> None:
        """One more is done; `audio_s` of all so far."""
        if self._bar is not None:
            speed = audio_s / max(time.perf_counter() - self._begin, 1e-9)
            self._bar.update(self._task, advance=1, description=f"{audio_s:,.0f} s at {speed:.1f} × real time")
