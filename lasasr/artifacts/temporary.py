"""Temporary files and folders beside what they will replace, and what makes those outlast a power cut.

A killed process leaves its temporary file. Its name is always the same, and its maker holds a lock (`flock`) on it, so
that the next process that writes the same thing takes it away; while the maker lives, or where there are no locks,
another name is taken. Where nobody may write the same thing again, because another process has written it at the same
time, the next one that writes into the folder takes away what is left (`remove_abandoned`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

# what file systems say that cannot flush a folder, as some of networks and of containers
CANNOT_FLUSH_FOLDERS: Final = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.EACCES)
_ENDING: Final = ".tmp"


@contextmanager
def file_beside(path: Path) -> Iterator[Path]:
    """Yield an empty file in the folder of `path`; what has not been renamed at the end is removed."""
    make_folders(path.parent)
    temporary, descriptor = _usual(path, folder=False) or _unusual_file(path)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        os.close(descriptor)


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """Yield an empty folder in the folder of `path`; what has not been renamed at the end is removed."""
    make_folders(path.parent)
    temporary, descriptor = _usual(path, folder=True) or _unusual_folder(path)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(descriptor)


def remove_abandoned(folder: Path, below: bool = False) -> None:
    """Remove the temporary files and folders whose makers do not live any more; where there are no locks, none.

    Args:
        folder: that holds them; it may be missing.
        below: look into the folders below it, too.
    """
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            if name.startswith(".") and name.endswith(_ENDING):
                _remove_unlocked(Path(parent) / name)
        folders[:] = [name for name in folders if below and not name.endswith(_ENDING)]


def make_folders(folder: Path) -> None:
    """Make a folder and those above it, where they are missing, and flush what holds them."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        flush_folder(path.parent)


def flush_file(path: Path) -> None:
    """Have the content of a file reach the disk."""
    with path.open("rb") as written:
        os.fsync(written.fileno())


def flush_folder(folder: Path) -> None:
    """Have the names in a folder reach the disk, where its file system can."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in CANNOT_FLUSH_FOLDERS:
            raise
    finally:
        os.close(descriptor)


def flush_tree(folder: Path) -> None:
    """Have all that lies below a folder reach the disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            flush_file(Path(parent) / name)
        flush_folder(Path(parent))


def _usual(path: Path, folder: bool) -> tuple[Path, int] | None:
    """The temporary file or folder of the usual name, new and locked; None: another process has it."""
    hidden_path = path.with_name(f".{path.name}{_ENDING}")
    for _ in range(2):
        try:
            descriptor = _make(hidden_path, folder)
        except FileExistsError:
            if not _remove_unlocked(hidden_path):
                return None
            continue
        except FileNotFoundError:  # taken away by another process before it was opened
            return None
        if _locked(descriptor) and _is(descriptor, hidden_path):
            return hidden_path, descriptor
        os.close(descriptor)  # another process takes it away at this moment
    return None


def _locked(descriptor: int) -> bool:
    """Lock it; False: another process has. Without locks it is true: others cannot take it away either."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _make(hidden_path: Path, folder: bool) -> int:
    if not folder:
        return os.open(hidden_path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    hidden_path.mkdir(mode=0o700)
    return os.open(hidden_path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _remove_unlocked(hidden_path: Path) -> bool:
    """Remove what a process has left that does not live any more; whether the place is free."""
    try:
        descriptor = os.open(hidden_path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:  # a link, or another user's
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is(descriptor, hidden_path):
            return False
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            shutil.rmtree(hidden_path)
        else:
            hidden_path.unlink()  # never written into: it may be a second name of a whole file
    except OSError:  # its maker lives, there are no locks, or it may not be removed
        return False
    finally:
        os.close(descriptor)
    return True


def _is(descriptor: int, hidden_path: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), hidden_path.lstat())
    except FileNotFoundError:
        return False


def _unusual_file(path: Path) -> tuple[Path, int]:
    while True:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_ENDING)
        if _locked(descriptor) and _is(descriptor, Path(name)):
            return Path(name), descriptor
        os.close(descriptor)  # another process takes it for abandoned at this moment


def _unusual_folder(path: Path) -> tuple[Path, int]:
    while True:
        name = tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=_ENDING)
        with suppress(FileNotFoundError):  # as above
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            if _locked(descriptor) and _is(descriptor, Path(name)):
                return Path(name), descriptor
            os.close(descriptor)
