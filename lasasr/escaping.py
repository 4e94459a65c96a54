"""Text of others as it is shown: what would act on a terminal or page, or hide in it, is written out.

Ids, paths, speakers and words come from tables and file names. A terminal obeys ESC, U+202E turns the rest of a line
round, U+2028 ends it: in whatever people read they are shown as `\\x1b`, `\\u202e`, `\\u2028`. JSON keeps the text.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from typing import Final

# C0 and C1 controls, direction marks and overrides, separators of lines and paragraphs, halves of surrogate pairs
_ACTING: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_LAYOUT: Final = "\n\t"  # which the toolkit's own tables and texts need


def acting(text: str) -> str:
    """The first character of `text` that would act on what shows it; "" where there is none."""
    found = _ACTING.search(text)
    return found[0] if found else ""


def escaped(text: str, keep: str = "") -> str:
    """`text` with every character that would act on what shows it written out.

    Args:
        text: of others, or a line that holds some.
        keep: characters that stay: `"\\n\\t"` where the text has lines of its own.
    """
    return _ACTING.sub(lambda found: found[0] if found[0] in keep else named(found[0]), text)


def lines_escaped(text: str) -> str:
    """`escaped` of a text of several lines."""
    return escaped(text, _LAYOUT)


def named(character: str) -> str:
    """A character written out, as Python does: `\\x1b`, `\\u202e`."""
    return character.encode("unicode_escape").decode("ascii")


def described(character: str) -> str:
    """A character by its number and name: `U+202E (RIGHT-TO-LEFT OVERRIDE)`."""
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}{f' ({name})' if name else ''}"


def write_any_text() -> None:
    """Let standard output and error write what their encoding lacks written out, rather than fail on it."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
