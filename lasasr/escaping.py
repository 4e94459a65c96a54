"""Text of others as it is shown: what would act on a terminal or page, or hide in it, is written out.

Ids, paths, speakers and words come from tables and file names. A terminal obeys ESC, U+202E turns the rest of a line
round, U+2028 ends it: in whatever people read they are shown as `\\u001b`, `\\u202e`, `\\u2028`. JSON keeps the text.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

# C0 and C1 controls, direction marks and overrides, separators of lines and paragraphs, halves of surrogate pairs
_ACTING: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
MOST_SAID: Final = 2_000  # characters of an error
_CURSOR: Final = re.compile("(?:\n|\x1b\\[A)*")  # how a progress bar moves between its lines, in writes of its own


def acting(text: str) -> str:
    """The first character of `text` that would act on what shows it; "" where there is none."""
    found = _ACTING.search(text)
    return found[0] if found else ""


def escaped(text: str, keep: str = "") -> str:
    """`text` with every character that would act on what shows it written out.

    Args:
        text: of others, or a line that holds some.
        keep: characters that stay, where the text has lines of its own.
    """
    return _ACTING.sub(lambda found: found[0] if found[0] in keep else f"\\u{ord(found[0]):04x}", text)


def lines_escaped(text: str) -> str:
    """`escaped` of a text of several lines."""
    return escaped(text, keep="\n\t")


def one_line(message: str) -> str:
    """An error as it is said: `escaped`, in one line; of one that quotes a whole file the middle is left out."""
    line = " ".join(lines_escaped(message).split())
    if len(line) <= MOST_SAID:
        return line
    head, tail = 3 * MOST_SAID // 4, MOST_SAID // 4
    return f"{line[:head]} ... ({len(line) - head - tail:,} characters left out) ... {line[-tail:]}"


def described(character: str) -> str:
    """A character by its number and name: `U+202E (RIGHT-TO-LEFT OVERRIDE)`."""
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}{f' ({name})' if name else ''}"


class EscapingStream:
    """Standard output or error that writes out what acts on a terminal; a bar may go back and up."""

    def __init__(self, stream: Any) -> None:
        self.unescaped = stream

    def write(self, text: str) -> int:
        """Write; how many characters it was given."""
        if not _CURSOR.fullmatch(text):
            self.unescaped.write(escaped(text, keep="\n\t\r"))
        else:
            self.unescaped.write(text)
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """Write some lines."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unescaped, name)


def unescaped(stream: Any) -> Any:
    """The stream itself, for what colours its output and escapes the text of others on its own."""
    return getattr(stream, "unescaped", stream)


@contextmanager
def escaping_output() -> Iterator[None]:
    """Escape what is printed; characters that the encoding of the output lacks are written out, too, and not lost."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    before = sys.stdout, sys.stderr
    guarded = sys.stdout, sys.stderr = EscapingStream(unescaped(before[0])), EscapingStream(unescaped(before[1]))
    try:
        yield
    finally:
        if (sys.stdout, sys.stderr) == guarded:
            sys.stdout, sys.stderr = before


def takes_unicode(stream: Any) -> bool:
    """Whether a stream can write every character."""
    return str(getattr(stream, "encoding", None) or "").lower().replace("-", "").startswith("utf")
