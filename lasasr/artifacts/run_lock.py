"""One writer per run folder: a lock that ends with its process, and a note of who holds it.

The lock is `flock` on the file `.writer` of the run folder. A killed process leaves the file, but no lock; processes
that it has forked do not hold the lock. Only the leading process of several ranks takes it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lasasr.artifacts import files
from lasasr.artifacts.temporary import make_folders, remove_abandoned
from lasasr.distributed import launch
from lasasr.errors import LasasrError

FILE: Final = ".writer"  # in the run folder
SCHEMA: Final = 1
LONGEST_NOTE: Final = 4096  # bytes
NOTE_PATIENCE_S: Final = 1.0  # from taking the lock to having written the note
SETTLING_S: Final = 1.0  # where there are no locks, until the note of the last of several that wrote it is seen by all
ATTEMPTS: Final = 100  # to make a folder that others remove
NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)

_held_descriptors: set[int] = set()  # file descriptors


@dataclass(frozen=True)
class Writer:
    """A process that writes a run folder."""

    host: str
    pid: int
    since: str  # ISO 8601, UTC
    work: str  # what the run is being: "trained", "averaged", "evaluated"

    @classmethod
    def this_process(cls, work: str) -> Writer:
        """The process that asks."""
        return cls(socket.gethostname(), os.getpid(), datetime.now(UTC).isoformat(timespec="seconds"), work)

    @property
    def here(self) -> bool:
        """Whether it was started on this machine."""
        return self.host == socket.gethostname()

    def describe(self, folder: Path) -> str:
        """One line for a process that has to leave the folder alone."""
        elsewhere = "" if self.here else " there"
        return (
            f"{folder} is being {self.work} by process {self.pid} on {self.host} since {_local_time(self.since)}; "
            f"wait for it, or stop it{elsewhere} with kill {self.pid}"
        )


@contextmanager
def writing(folder: Path, work: str) -> Iterator[None]:
    """Hold the run folder's lock in the block; the folder is made where it is missing, and goes if nothing came in.

    Where nothing can be written the block is entered all the same: what it writes fails by name.

    Args:
        folder: of the run.
        work: what the run is being, for others' messages: "trained", "averaged", "evaluated".

    Raises:
        LasasrError: another process holds it; says which, where and since when. Nothing was written.
    """
    if launch.helper() is not None:  # the leading process holds it for all ranks
        yield
        return
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        descriptor = _acquired(folder, work)
    except OSError:
        if os.access(folder, os.W_OK) or missing:
            raise
        yield
        return
    owner = os.getpid()
    try:
        remove_abandoned(folder, below=True)
        yield
    finally:
        if os.getpid() == owner:
            _release(descriptor, folder / FILE, missing)


def is_held(folder: Path) -> bool:
    """Whether a process on this machine, or one that shares the lock, writes into the folder now."""
    try:
        descriptor = os.open(folder / FILE, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there are no locks here
        return False
    finally:
        os.close(descriptor)
    return False


def _acquired(folder: Path, work: str) -> int | None:
    """A descriptor that holds the lock; None where the file system has no locks and the note alone stands for it."""
    path = folder / FILE
    while True:
        descriptor = _opened(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            writer = _noted_by_holder(descriptor)
            os.close(descriptor)
            raise LasasrError(writer.describe(folder) if writer else _unnamed(folder)) from None
        except OSError as error:
            os.close(descriptor)
            if error.errno not in NO_LOCKS:
                raise
            _note_alone(path, work, error)
            return None
        if _is(descriptor, path):
            break
        os.close(descriptor)  # its holder has deleted it since we opened it
    _held_descriptors.add(descriptor)
    _write_note(descriptor, Writer.this_process(work))
    return descriptor


def _opened(path: Path) -> int:
    """A descriptor of the lock file, made where it is missing, as is its folder."""
    for _ in range(ATTEMPTS):  # another process may be removing the folder, into which nothing came
        with suppress(FileNotFoundError, FileExistsError):
            return _open(path)
    return _open(path)


def _open(path: Path) -> int:
    make_folders(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        files.refuse_irregular(path, os.fstat(descriptor).st_mode)
    except LasasrError:
        os.close(descriptor)
        raise
    return descriptor


def _release(descriptor: int | None, path: Path, missing: list[Path]) -> None:
    """Delete the lock file while the lock is held, so that whoever has opened it sees that it is another one."""
    path.unlink(missing_ok=True)
    if descriptor is not None:
        _held_descriptors.discard(descriptor)
        os.close(descriptor)
    for folder in missing:
        try:
            folder.rmdir()
        except OSError:  # the work has put something into it
            return


def _is(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _write_note(descriptor: int, writer: Writer) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({"schema": SCHEMA, **asdict(writer)}).encode(), 0)


def _read_note(descriptor: int) -> Writer | None:
    """Who has written the file; None: it is empty, half written or damaged."""
    try:
        content = files.parse_json(os.pread(descriptor, LONGEST_NOTE, 0))
        writer = Writer(*(content[name] for name in ("host", "pid", "since", "work")))
        datetime.fromisoformat(writer.since)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    named = all(isinstance(text, str) and text.isprintable() for text in (writer.host, writer.work))
    return writer if named and isinstance(writer.pid, int) else None


def _noted_by_holder(descriptor: int) -> Writer | None:
    """Who holds the lock, which it may have taken just now."""
    end = time.monotonic() + NOTE_PATIENCE_S
    while (writer := _read_note(descriptor)) is None and time.monotonic() < end:
        time.sleep(0.01)
    return writer


def _unnamed(folder: Path) -> str:
    return f"{folder} is being written by another process, which has not left its name in {folder / FILE}"


def _note_alone(path: Path, work: str, error: OSError) -> None:
    """Stand for the folder by a note: of several that write it at the same time the last one keeps it.

    Raises:
        LasasrError: it names a process that lives, or one on another machine.
    """
    sys.stderr.write(
        f"warning: {path.parent}: this file system has no locks ({error.strerror}); "
        f"other writers are known by {path} alone\n"
    )
    writer = _note_at(path)
    if writer and not (writer.here and (writer.pid == os.getpid() or not _alive(writer.pid))):
        raise LasasrError(f"{writer.describe(path.parent)}; if there is no such process any more, delete {path}")
    mine = Writer.this_process(work)
    descriptor = _opened(path)
    _write_note(descriptor, mine)
    os.close(descriptor)
    time.sleep(SETTLING_S)
    if (writer := _note_at(path)) != mine:
        raise LasasrError(writer.describe(path.parent) if writer else _unnamed(path.parent))


def _note_at(path: Path) -> Writer | None:
    descriptor = _opened(path)  # anew: network file systems show others' writes to those who open after them
    try:
        return _read_note(descriptor)
    finally:
        os.close(descriptor)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def _local_time(iso: str) -> str:
    moment, now = datetime.fromisoformat(iso).astimezone(), datetime.now().astimezone()
    return moment.strftime("%H:%M" if moment.date() == now.date() else "%Y-%m-%d %H:%M")


def _leave_to_the_parent() -> None:
    """A forked process, as a worker of a data loader, must not hold the lock beyond the death of its parent."""
    for descriptor in _held_descriptors:
        os.close(descriptor)  # which takes nothing from the parent
    _held_descriptors.clear()


os.register_at_fork(after_in_child=_leave_to_the_parent)
