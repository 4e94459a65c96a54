"""Writing files so that a half-written one is never taken for a whole one."""

from __future__ import annotations

import fcntl
import gzip
import io
import json
import os
import re
import stat
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from lasasr.artifacts import temporary
from lasasr.errors import LasasrError, looked_up

MOST_BYTES: Final = 16 << 20  # of a document: JSON of so many needs less than 1 GiB as objects
MOST_DEPTH: Final = 100  # levels of a document
MOST_LINE_BYTES: Final = 16 << 20  # of a file of lines
MOST_UNPACKED: Final = 100  # bytes that a packed byte may stand for: JSON has 10 to 30, a bomb 1,000
ALWAYS_UNPACKED: Final = 64 << 20  # bytes, however few packed ones they stand for
_GZIP: Final = b"\x1f\x8b"
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")
_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it to disk, rename it over `path`, and flush that.

    When the block raises, the temporary file is removed and an older `path` stays as it was.
    """
    with temporary.file_beside(path) as written:
        yield written
        temporary.flush_file(written)
        written.chmod(0o666 & ~_umask())
        written.replace(path)
        temporary.flush_folder(path.parent)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`, which must not be there; on success flush all in it, rename it, and
    flush that.

    When the block raises, the temporary folder is removed.
    """
    with temporary.folder_beside(path) as written:
        yield written
        written.chmod(0o777 & ~_umask())
        temporary.flush_tree(written)
        written.rename(path)
        temporary.flush_folder(path.parent)


@contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Let one process at a time into the block, whatever it was started by; one that dies makes way for the next.

    Where nothing can be written all are let in, and where the file system knows no locks too, with a warning.

    Args:
        path: a file that stands for what is locked; it stays.
        waiting: called when another process is inside.
    """
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.open("a"))
        except OSError:
            yield  # reading is left
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            warnings.warn(f"{path.parent} knows no locks ({error}): only one process should prepare", stacklevel=3)
        stack.callback(fcntl.flock, file, fcntl.LOCK_UN)  # closing alone would leave it to processes forked meanwhile
        yield


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def expanded(path: str | Path) -> Path:
    """With `~` and `~user` written out; of a user that there is not, as it stands, as a shell does."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # there is no such user, or no home
        return Path(path)


def write_text(path: Path, text: str) -> None:
    """Write `text` (UTF-8) to `path` atomically."""
    with replacing(path) as written:
        written.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON to `path` atomically; NaN and infinities are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file, or a link to one, to read its bytes: a FIFO or a device could be waited for without end.

    Raises:
        OSError: it is missing, or may not be read.
        LasasrError: it is something else.
    """
    refuse_irregular(path, path.stat().st_mode)  # before it is opened, which a device may notice
    file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")  # noqa: PTH123, SIM115
    try:
        refuse_irregular(path, os.fstat(file.fileno()).st_mode)
    except LasasrError:
        file.close()
        raise
    return file


def refuse_irregular(path: Path, mode: int) -> None:
    """Refuse what is no regular file, by the mode that `stat` tells.

    Raises:
        LasasrError: names the path and what it is.
    """
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
        raise LasasrError(f"{path} is {kind}, not a file")


def read_bounded(path: Path, limit: int = MOST_BYTES) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    Raises:
        OSError: it is missing, or may not be read.
        LasasrError: it is larger, or no regular file.
    """
    with open_regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise LasasrError(f"{path} has more than {limit >> 20} MiB, which no such file needs; it is not read")
    return content


def parse_json(text: str | bytes, objects: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """JSON of at most `MOST_DEPTH` levels.

    Args:
        objects: makes the value of an object from its pairs, where a dict, of whose equal keys the last wins, will not
            do.

    Raises:
        ValueError: it is something else.
    """
    text = text if isinstance(text, str) else text.decode("utf-8")
    try:
        value = json.loads(text, object_pairs_hook=objects)
    except RecursionError:
        raise ValueError(f"more than {MOST_DEPTH} levels") from None
    if text.count("[") + text.count("{") > MOST_DEPTH:  # else it cannot have so many
        _refuse_deep(value)
    return value


def writable_json(text: str | bytes) -> Any:
    """`parse_json` of what must be written again: no text in it holds half of a surrogate pair, which no file can.

    Raises:
        ValueError: one does, or it is something else than JSON.
    """
    value = parse_json(text)
    if _HALF.search(text if isinstance(text, str) else text.decode("utf-8")):  # it may be one of a pair
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"it holds U+{ord(error.object[error.start]):04X}, half a character") from None
    return value


def _refuse_deep(value: Any) -> None:
    level = [value]
    for _ in range(MOST_DEPTH):
        containers = [value for value in level if isinstance(value, dict | list)]
        level = [inner for value in containers for inner in (value.values() if isinstance(value, dict) else value)]
        if not level:
            return
    raise ValueError(f"more than {MOST_DEPTH} levels")


def read_json(path: Path) -> Any:
    """Read JSON of at most `MOST_BYTES` and `MOST_DEPTH` levels.

    Raises:
        LasasrError: `path` is missing, no regular file, too large, or is not JSON; the message names the file.
    """
    try:
        return writable_json(read_bounded(path).decode("utf-8"))
    except FileNotFoundError:
        raise LasasrError(f"{path} is missing{looked_up(path)}") from None
    except ValueError as error:
        raise LasasrError(f"{path} is not valid JSON ({error}); delete it and run the command again") from None


class _Unpacked(gzip.GzipFile):
    """What a gzip file holds, until it is too much for its size."""

    def __init__(self, path: Path, packed: BinaryIO) -> None:
        super().__init__(fileobj=packed, mode="rb")
        self._path, self._packed, self._unpacked = path, packed, 0

    def read(self, size: int | None = -1) -> bytes:
        try:
            content = super().read(size)
        except zlib.error as error:
            raise gzip.BadGzipFile(str(error)) from None
        self._unpacked += len(content)
        if self._unpacked > max(ALWAYS_UNPACKED, MOST_UNPACKED * self._packed.tell()):
            raise LasasrError(f"{self._path} unpacks to more than {MOST_UNPACKED} times its size, which no text does")
        return content


def lines(path: Path, most_bytes: int = MOST_LINE_BYTES) -> Iterator[str]:
    """The lines of a text file, unpacked where it is gzip or called `.gz`, one at a time, with their ends.

    Args:
        most_bytes: of one line.

    Raises:
        OSError, EOFError: it is missing or damaged.
        UnicodeDecodeError: it is no UTF-8.
        LasasrError: it is no regular file, a line is longer, or it unpacks to far more than text can.
    """
    with open_regular(path) as packed:
        content: Any = packed
        if path.suffix == ".gz" or packed.peek(len(_GZIP)).startswith(_GZIP):  # which no UTF-8 begins with
            content = io.BufferedReader(_Unpacked(path, packed), 1 << 17)
        number = 0
        while line := content.readline(most_bytes + 1):
            number += 1
            if len(line) > most_bytes:
                raise LasasrError(f"{path}, line {number}: more than {most_bytes >> 20} MiB in one line")
            yield line.decode("utf-8")
