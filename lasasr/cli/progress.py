"""How far preparation has come: a bar on a terminal, a line per task in a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lasasr.corpora.base import Progress as Report
from lasasr.escaping import unescaped


@contextmanager
def progress(plain: bool = False) -> Iterator[Report]:
    """A callback (task, done, total) that draws; `plain`: that writes lines even on a terminal."""
    console = Console(file=unescaped(sys.stderr))
    report = _Bars(console) if console.is_terminal and not plain else _Lines()
    try:
        yield report
    finally:
        report.close()


class _Bars:
    """A bar for the task under way; it is left standing when done, so that nothing is drawn while training draws."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bars: Progress | None = None
        self.task = ""

    def __call__(self, task: str, done: int, total: int) -> None:
        if self.bars is None or task != self.task:
            self.close()
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self.bars, self.task = Progress(*columns, console=self.console), task
            self.bars.add_task(task, total=total)
            self.bars.start()
        self.bars.update(self.bars.task_ids[0], completed=done, total=total)
        if done >= total:
            self.close()

    def close(self) -> None:
        """Stop drawing."""
        if self.bars is not None:
            self.bars.stop()
            self.bars = None


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

    def close(self) -> None:
        """Nothing is left open."""
