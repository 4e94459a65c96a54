"""How far preparation has come: a bar on a terminal, a line per task in a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lasasr.corpora.base import Progress as Report


@contextmanager
def progress() -> Iterator[Report]:
    """A callback (task, done, total) that draws."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        known: dict[str, int] = {}

        def report(task: str, done: int, total: int) -> None:
            if task not in known:
                known[task] = int(bars.add_task(task, total=total))
            bars.update(known[task], completed=done, total=total)  # type: ignore[arg-type]

        yield report


class _Lines:
    """Says when a task begins and when it is done."""

    def __init__(self) -> None:
        self.begun: set[str] = set()

    def __call__(self, task: str, done: int, total: int) -> None:
        if task not in self.begun:
            self.begun.add(task)
            print(f"{task}: {total}", file=sys.stderr, flush=True)
        if done == total:
            print(f"{task}: done", file=sys.stderr, flush=True)
