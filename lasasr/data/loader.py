"""Batches from worker processes."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader, Dataset

from lasasr.data.batch import Batch
from lasasr.data.sampler import Request
from lasasr.errors import LasasrError, UsageError

MOST_WORKERS = 8
GRACE_S = 1.0  # until a worker that has hung up is known to have ended
_LOST_WORKER = re.compile(
    r"DataLoader worker \(pid(?:\(s\))? (?P<pid>[\d, ]+)\) (?P<how>is killed by signal: [^.]*|exited unexpectedly[^.]*)"
)
VERIFY = ("first_epoch", "never")


class BatchError(LasasrError):
    """A batch cannot be loaded: a file is missing, damaged or not what it was; the message names it."""


@dataclass(frozen=True)
class Loading:
    """How batches are loaded.

    Args:
        num_workers: processes that decode and perturb; None: none on a CPU, where they would take the cores from the
            model (decoding is thousands of times faster than real time), else up to eight.
        prefetch: batches that each worker keeps ready.
        cache_audio_mb: MiB of decoded audio kept in memory per split and rank, shared by its workers; 1 h at 16 kHz
            takes 220.
        pin_memory: use page-locked memory, from which copies to a GPU overlap with work; None: with an
            accelerator. It cannot be swapped out: where the machine's memory is short, false.
        verify: "first_epoch": an audio file is compared with what it was when it was prepared, size and digest, when a
            process first reads it; or "never".
        cache_encoded: whether what a frozen encoder gives of an utterance is computed once and kept below prepared_dir;
            None: where the whole encoder is frozen and waveforms are not augmented.

    Raises:
        UsageError: a number is out of range, or a word unknown.
    """

    num_workers: int | None = None
    prefetch: int = 2
    cache_audio_mb: int = 0
    pin_memory: bool | None = None
    verify: str = "first_epoch"
    cache_encoded: bool | None = None

    def __post_init__(self) -> None:
        for name, least, most in (("num_workers", 0, 1024), ("prefetch", 1, 1024), ("cache_audio_mb", 0, 1 << 30)):
            value = getattr(self, name)
            unset = value is None and name == "num_workers"
            if not unset and (not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most):
                raise UsageError(f"loading.{name} must be a whole number from {least} to {most:,}, got {value}")
        if not isinstance(self.pin_memory, bool | None):
            raise UsageError(f"loading.pin_memory must be true, false or null, got {self.pin_memory}")
        if not isinstance(self.cache_encoded, bool | None):
            raise UsageError(f"loading.cache_encoded must be true, false or null, got {self.cache_encoded}")
        if self.verify not in VERIFY:
            raise UsageError(f"loading.verify must be {' or '.join(VERIFY)}, got {self.verify}")

    @property
    def verifies(self) -> bool:
        """Whether audio is compared with what it was when it was prepared."""
        return self.verify != "never"

    def pins(self, accelerator: bool) -> bool:
        """Whether batches come in page-locked memory."""
        return accelerator if self.pin_memory is None else self.pin_memory

    def workers(self, accelerator: bool, processes: int = 1) -> int:
        """Workers of one process, of which the machine runs `processes`."""
        if self.num_workers is not None:
            return self.num_workers
        return min(MOST_WORKERS, max(1, _cores() // processes - 1)) if accelerator else 0


def _cores() -> int:
    """Those that this process may use: a cluster's scheduler grants fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Loader(DataLoader[Batch]):
    """Yields the batches of a dataset in the order of a sampler.

    An error of the data keeps its one line on the way out of a worker.

    Args:
        dataset: request → batch.
        batches: the requests.
        num_workers: processes; 0: this one.
        prefetch: batches that each worker keeps ready.
        pin_memory: use page-locked memory, from which copies to a GPU overlap with work.
        persistent: keep the workers from epoch to epoch.
    """

    def __init__(
        self,
        dataset: Dataset[Batch],
        batches: Iterable[Request],
        num_workers: int = 0,
        prefetch: int = 2,
        pin_memory: bool = False,
        persistent: bool = False,
    ) -> None:
        super().__init__(
            _Guarded(dataset),
            batch_size=None,
            sampler=batches,
            num_workers=num_workers,
            prefetch_factor=prefetch if num_workers else None,
            pin_memory=pin_memory,
            persistent_workers=persistent and num_workers > 0,
            worker_init_fn=_leave_signals_to_the_parent,
        )

    def __iter__(self) -> Any:
        """Batches.

        Raises:
            BatchError: the dataset raised a LasasrError, with this message.
        """
        return _raising(super().__iter__())  # the workers start here, not at the first batch


@contextmanager
def naming_lost_workers() -> Iterator[None]:
    """Say in one line that a worker process was killed: torch raises it wherever the parent is at that moment.

    Raises:
        LasasrError: a worker was killed, or ended by itself; names it and the signal.
    """
    try:
        yield
    except Exception as error:  # who catches torch's RuntimeError where it is raised may raise something else from it
        lost = next((match for cause in _causes(error) if (match := _LOST_WORKER.search(str(cause)))), None)
        if lost is None:
            raise
        raise _worker_lost(lost["pid"], lost["how"].replace("is killed", "was killed")) from error


def _causes(error: BaseException) -> list[BaseException]:
    """What an exception came from, the first cause first, and the exception: a later message may lack the signal."""
    chain: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop()
        if cause is not None and cause not in chain:
            chain.append(cause)
            waiting += [cause.__context__, cause.__cause__]
    return chain[::-1]


def _worker_lost(worker: Any, how: str) -> LasasrError:
    return LasasrError(
        f"a worker of the data loader, process {worker}, {how}; where memory is short, lower loading.num_workers or "
        f"loading.cache_audio_mb; go on with --resume"
    )


class _Guarded(Dataset[Any]):
    """Returns errors instead of raising them: the DataLoader would wrap them in a worker's traceback."""

    def __init__(self, dataset: Dataset[Batch]) -> None:
        self.dataset = dataset

    def __getitem__(self, request: Request) -> Batch | LasasrError:
        try:
            return self.dataset[request]
        except LasasrError as error:
            return error


def _raising(items: Iterator[Any]) -> Iterator[Batch]:
    while True:
        try:
            item = next(items)
        except StopIteration:
            return
        except (ConnectionError, EOFError) as error:  # a worker ended while it handed something over
            raise _worker_lost(*_dead_worker(items)) from error
        if isinstance(item, LasasrError):
            raise BatchError(str(item))
        yield item


def _dead_worker(items: Any) -> tuple[Any, str]:
    for worker in getattr(items, "_workers", ()):
        worker.join(GRACE_S)
        if worker.exitcode:
            signalled = worker.exitcode < 0
            how = f"was killed by signal: {-worker.exitcode}" if signalled else f"ended with status {worker.exitcode}"
            return worker.pid, how
    return "unknown", "ended unexpectedly"


def _leave_signals_to_the_parent(worker: int) -> None:
    """Work on through what Ctrl-C and a cluster's scheduler send to every process of a run: the parent ends in order.

    What the parent itself sends ends this one.
    """
    for number in (signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # not on macOS
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_await_parent, daemon=True).start()


def _await_parent() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
