"""A forked process of a test, which never outlives it nor goes on as a second pytest."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

BROKEN = 99  # the exit status where `work` raises


@contextmanager
def forked(work: Callable[[], Any]) -> Iterator[int]:
    """A process that does `work` and ends with 0; it is killed where the block ends before it."""
    process = os.fork()
    if process == 0:
        status = BROKEN
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    try:
        yield process
    finally:
        end(process)


def exit_status(work: Callable[[], Any]) -> int:
    """How a process that does `work` ends."""
    with forked(work) as process:
        _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


def end(process: int) -> None:
    """Kill a process and await its end; nothing where it has been awaited."""
    try:
        ended, _ = os.waitpid(process, os.WNOHANG)
    except ChildProcessError:
        return
    if not ended:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
