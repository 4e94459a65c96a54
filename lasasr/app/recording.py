"""What was recorded or dropped on the page: read into memory, its file taken away."""

from __future__ import annotations

import io
import shutil
import threading
from pathlib import Path
from typing import Final, NamedTuple

from lasasr.audio import blocks
from lasasr.audio.inputs import Input, inputs
from lasasr.audio.read import HIGHEST_HZ
from lasasr.errors import LasasrError

MOST_S: Final = 30 * 60
MOST_BYTES: Final = 100 * 1000 * 1000
WAY_OUT: Final = "lasasr transcribe takes audio of any length"


class Recording(NamedTuple):
    """The content of an audio file."""

    name: str
    content: bytes
    duration_s: float

    def audio(self) -> Input:
        """What a recognizer takes."""
        file = io.BytesIO(self.content)
        file.name = self.name  # of errors
        (audio,) = inputs(file, HIGHEST_HZ)
        return audio


def taken(path: Path, folder: Path, grace_s: float) -> Recording:
    """Read an uploaded file; it is removed, with the folder that was made for it, whatever becomes of it.

    Args:
        folder: of all uploads; nothing outside it is removed.
        grace_s: after which it is removed: the player of the page fetches it.

    Raises:
        LasasrError: it is too long, too large, empty, or no audio.
    """
    try:
        return _read(path)
    except LasasrError as error:
        raise LasasrError(str(error).replace(str(path), path.name)) from None
    finally:
        later = threading.Timer(grace_s, _remove, (path.resolve(), folder.resolve(), _identity(path)))
        later.daemon = True
        later.start()
        if grace_s == 0:
            later.join()


def _identity(path: Path) -> tuple[int, int] | None:
    """Tells a file from another that takes its place; None: there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _remove(path: Path, folder: Path, identity: tuple[int, int] | None) -> None:
    """Remove a file, and the folder between it and that of all uploads, unless it was sent again."""
    if folder in path.parents and _identity(path) == identity:
        shutil.rmtree(folder / path.relative_to(folder).parts[0], ignore_errors=True)
        path.unlink(missing_ok=True)


def _read(path: Path) -> Recording:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise LasasrError(f"{path} is not here any more; record or drop it again") from None
    if size == 0:
        raise LasasrError(f"{path} is empty")
    if size > MOST_BYTES:
        raise LasasrError(f"{path} has {size / 1e6:,.1f} MB, more than {MOST_BYTES // 1_000_000} ({WAY_OUT})")
    duration_s = blocks.duration_s(path)
    if duration_s > MOST_S:
        raise LasasrError(f"{path} lasts {duration_s / 60:,.1f} minutes, more than {MOST_S // 60} ({WAY_OUT})")
    return Recording(path.name, path.read_bytes(), duration_s)
