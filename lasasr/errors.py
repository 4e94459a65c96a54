"""What a user can be told: one line that names the thing, the value and the way out.

The command prints these without a traceback. Anything else that escapes is a defect of the toolkit.
"""

from __future__ import annotations

import difflib
import os
import signal
from collections.abc import Iterable
from pathlib import Path


class LasasrError(Exception):
    """The work cannot be done as asked (missing corpus, unreadable audio, ...); exit status 1."""

    exit_status = 1


class DivergenceError(LasasrError):
    """Training has left the numbers: a loss is NaN or infinite. The card keeps it: a comparison counts such runs."""


class LostRankError(LasasrError):
    """Another process of the same training has ended, or says nothing: this one cannot go on."""


class PartError(LasasrError):
    """A part of the user's has failed, or does not keep its contract; the message names its place, class and line."""


class UsageError(LasasrError):
    """The request itself is wrong (unknown verb, recipe, key or choice); exit status 2."""

    exit_status = 2


class Interrupted(BaseException):
    """A signal ended the work, after saving; exit status 128 + signum. Like KeyboardInterrupt, no `except Exception`
    takes it for a failure of one job and goes on with the next."""

    def __init__(self, signum: int, message: str = "") -> None:
        super().__init__(message or f"interrupted by {signal.Signals(signum).name}")
        self.signum = signum


def nearest(word: str, known: Iterable[str], most: int = 3) -> str:
    """Phrase that names the known words nearest to `word`, for the end of an error line."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=most, cutoff=0.4) or names[: 3 * most]
    return f"nearest: {', '.join(close)}" if close else "none are known"


def looked_up(path: str | Path) -> str:
    """Phrase that says from where a missing path was looked up, with the way out, for the end of an error line.

    It is empty where the path is absolute, or begins with `~`. A run keeps its paths as they were given, so that they
    lead elsewhere when a command that reads them is called in another folder than the training was.
    """
    if Path(path).is_absolute() or str(path).startswith("~"):
        return ""
    try:
        folder = os.getcwd()  # noqa: PTH109 - as the system resolves the path
    except FileNotFoundError:
        return "; looked up from a folder that was deleted: call lasasr in another"
    return f"; looked up from {folder}: call lasasr in the folder that the path starts from, or give an absolute path"
