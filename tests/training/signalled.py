"""`lasasr WORDS` gets a signal as soon as it has printed what matches: `python signalled.py NUMBER PATTERN WORDS`."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from lasasr.cli.main import main


class Watched:
    """Standard error; the first text that matches brings the signal."""

    def __init__(self, stream: Any, pattern: str, number: int) -> None:
        self.stream, self.pattern, self.number, self.sent = stream, pattern, number, False

    def write(self, text: str) -> int:
        written: int = self.stream.write(text)
        if not self.sent and re.search(self.pattern, text):
            self.sent = True
            os.kill(os.getpid(), self.number)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


if __name__ == "__main__":
    number, pattern, *words = sys.argv[1:]
    sys.stderr = Watched(sys.stderr, pattern, int(number))
    sys.exit(main(words))
