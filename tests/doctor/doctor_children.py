"""What the memory probe's process can do instead of answering; imported in it, so nothing heavy here."""

from __future__ import annotations

import os
import signal
from typing import Any


def killed(config: dict[str, Any], shape: Any, answer: Any) -> None:
    """The system kills it for its memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def wrong(config: dict[str, Any], shape: Any, answer: Any) -> None:
    """It fails for another reason."""
    answer.send("RuntimeError: a broken layer")


def gone(config: dict[str, Any], shape: Any, answer: Any) -> None:
    """It ends without a word."""
    os._exit(3)
