"""How far preparation has come: a bar on a terminal, a line per task in a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from lasasr.corpora.base import Progress as Report
from lasasr.escaping import unescaped
from lasasr.remaining import Remaining, about


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
            counted = (BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
            columns = (TextColumn("{task.description}"), *counted)
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


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.3g}/s" if task.speed else "")


class _Lines:
    """Says when a task begins and when it is done, and once a minute how long it still takes."""

    def __init__(self) -> None:
        self.begun: dict[str, Remaining] = {}

    def __call__(self, task: str, done: int, total: int) -> None:
        if task not in self.begun:
            self.begun[task] = Remaining()
            print(f"{task}: {total}", file=sys.stderr, flush=True)
        if (left_s := self.begun[task].left_s(done, total)) is not None:
            print(f"{task}: {done} of {total}, {about(left_s)} left", file=sys.stderr, flush=True)
        if done == total:
            print(f"{task}: done", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing is left open."""
