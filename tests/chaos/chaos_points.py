"""Named points of a command's way, and what a fault does there; all of it in the forked process of the command.

Points are reached in the file layer (`begun`, `half`, `written`, `flushed`, `renaming`, `renamed`, `kept`, each with
the file's name), where Lightning calls its hooks (`on_train_batch_end`, `on_validation_start`, ...), and where
checkpoints are pruned.
"""

from __future__ import annotations

import datetime
import errno
import io
import json
import os
import re
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch.trainer.call as hooks
import torch
from tensorboard.summary.writer import record_writer

from lasasr.artifacts import runs, temporary
from lasasr.errors import LasasrError
from lasasr.training.checkpoints import WholeFiles

HOOKS = (
    "on_train_start",
    "on_train_epoch_start",
    "on_train_batch_start",
    "on_train_batch_end",
    "on_train_epoch_end",
    "on_validation_start",
    "on_validation_end",
    "on_train_end",
)
DAY_S = 86_400.0


@dataclass(frozen=True)
class Fault:
    """What happens when a point is reached for the nth time."""

    point: str
    nth: int  # from 1
    act: str
    value: int = 0
    rank: int = 0


class Points:
    """The points of one process.

    Args:
        faults: of this process.
        diary: a file for what was trained on, a line each; lines are whole whatever kills the process.
        record: whether every point is noted in the diary.
    """

    def __init__(self, faults: list[Fault], diary: Path, record: bool = False) -> None:
        self.faults, self.record = faults, record
        self.reached: Counter[str] = Counter()
        self.diary = os.open(diary, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.step = 0  # updates made before the batch under way
        self.note(started=os.getpid())

    def note(self, **content: Any) -> None:
        """Write a line."""
        os.write(self.diary, (json.dumps({**content, "at_s": time.monotonic()}) + "\n").encode())

    def reach(self, point: str, batch: Any = None) -> None:
        """Be at a point."""
        self.reached[point] += 1
        if self.record:
            self.note(point=point)
        for fault in self.faults:
            if (fault.point, fault.nth) == (point, self.reached[point]):
                self.note(fault=fault.act, point=point)
                _ACTS[fault.act](fault, point, batch)

    def trained(self, name: str, trainer: Any, arguments: tuple[Any, ...]) -> None:
        """Note where training begins, and the utterances of each batch with the updates made before it."""
        if name == "on_train_start":
            self.step = trainer.global_step
            self.note(begins=self.step)
        elif name == "on_train_batch_end":
            batch = arguments[1]
            self.note(step=self.step, epoch=batch.epoch, ids=list(batch.ids))
            self.step = trainer.global_step


def _kill(fault: Fault, point: str, batch: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _signal(fault: Fault, point: str, batch: Any) -> None:
    os.kill(os.getpid(), fault.value)


def _signal_launcher(fault: Fault, point: str, batch: Any) -> None:
    os.kill(os.getppid(), fault.value)


def _signal_worker(fault: Fault, point: str, batch: Any) -> None:
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    stranger = os.fork()  # what the parent itself sends ends a worker
    if stranger == 0:
        os.kill(int(children[0]), fault.value)
        os._exit(0)
    os.waitpid(stranger, 0)


def _fail(fault: Fault, point: str, batch: Any) -> None:
    raise LasasrError("utterance chaos is damaged")


def _break(fault: Fault, point: str, batch: Any) -> None:
    raise ZeroDivisionError("chaos")


def _fill_disk(fault: Fault, point: str, batch: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), point.partition(":")[2])


def _limit_files(fault: Fault, point: str, batch: Any) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (fault.value, resource.RLIM_INFINITY))


def _nan(fault: Fault, point: str, batch: Any) -> None:
    batch.waveforms.fill_(torch.nan)


def _stop(fault: Fault, point: str, batch: Any) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _set_clock_back(fault: Fault, point: str, batch: Any) -> None:
    now = time.time
    time.time = lambda: now() - DAY_S

    class Earlier(datetime.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return super().now(tz) - datetime.timedelta(seconds=DAY_S)

    runs.datetime = Earlier  # type: ignore[misc]


_ACTS: dict[str, Callable[[Fault, str, Any], None]] = {
    "kill": _kill,
    "signal": _signal,
    "signal-launcher": _signal_launcher,
    "signal-worker": _signal_worker,
    "fail": _fail,
    "break": _break,
    "fill-disk": _fill_disk,
    "limit-files": _limit_files,
    "nan": _nan,
    "stop": _stop,
    "set-clock-back": _set_clock_back,
}


def named(path: Any) -> str:
    """A file's name without what differs from run to run."""
    name = Path(path).name.removeprefix(".").removesuffix(".tmp")
    return "best.ckpt" if name.startswith("step=") else re.sub(r"-?[0-9a-f]{12,16}|-[0-9a-f]{8}\b", "", name)


def lay(points: Points) -> None:
    """Have this process reach its points; for good, so it must be one that was forked for it."""
    _around(temporary, "_make", points, None, "begun")
    _around(temporary, "flush_file", points, "written", "flushed")
    _around(temporary, "flush_folder", points, None, "kept")
    _around(os, "replace", points, "renaming", "renamed", place=1)
    _around(os, "rename", points, "renaming", "renamed", place=1)
    _around(WholeFiles, "remove_checkpoint", points, "pruning", "pruned", place=1)
    _around(record_writer.RecordWriter, "write", points, "events", None, place=None)
    save, call = torch.save, hooks._call_callback_hooks

    def save_in_halves(content: Any, file: Any, **options: Any) -> None:
        if not hasattr(file, "fileno") or isinstance(file, io.BytesIO):  # not on a disk, or by its name
            save(content, file, **options)
            return
        buffer = io.BytesIO()
        save(content, buffer)
        whole = buffer.getvalue()
        file.write(whole[: len(whole) // 2])
        file.flush()
        points.reach(f"half:{named(file.name)}")
        file.write(whole[len(whole) // 2 :])

    def call_hooks(trainer: Any, name: str, *arguments: Any, **options: Any) -> None:
        if name in HOOKS:
            points.trained(name, trainer, arguments)
            points.reach(name, next((each for each in arguments if hasattr(each, "waveforms")), None))
        call(trainer, name, *arguments, **options)

    torch.save, hooks._call_callback_hooks = save_in_halves, call_hooks  # type: ignore[assignment]


def _around(
    owner: Any, name: str, points: Points, before: str | None, after: str | None, place: int | None = 0
) -> None:
    call = getattr(owner, name)

    def called(*arguments: Any, **options: Any) -> Any:
        file = "" if place is None else f":{named(arguments[place])}"
        if before:
            points.reach(before + file)
        result = call(*arguments, **options)
        if after:
            points.reach(after + file)
        return result

    setattr(owner, name, called)
