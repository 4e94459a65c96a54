"""The commands that pages show: what a reader is told to type, page by page.

A command stands in a block that is indented by four spaces, or in a fenced one for a shell. What follows it behind
` #`, or behind many spaces, is said about it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
FENCE: Final = re.compile(r" *```(\w*)")
SHELLS: Final = ("sh", "bash", "console")
PROGRAMS: Final = "lasasr|make|python|pip|export|cd|eval|ffmpeg|tensorboard|torchrun|sbatch|scripts/\\S+\\.sh|docker"
COMMAND: Final = re.compile(rf"(?:[A-Z_]+=\S+ )*(?:{PROGRAMS}) .*")
SAID: Final = re.compile(r"\s+#\s.*| {4,}.*")
ASSIGNMENT: Final = re.compile(r"[A-Z_]+=.*")


class Command(NamedTuple):
    """One command of a page."""

    page: str  # relative to the project
    line: str

    @property
    def words(self) -> list[str]:
        """As a shell takes them, without variables before the program."""
        words = shlex.split(self.line)
        while words and ASSIGNMENT.fullmatch(words[0]):
            words.pop(0)
        return words

    @property
    def verb(self) -> str:
        """The verb of `lasasr`; "" of another program."""
        words = self.words
        return words[1] if words[0] == "lasasr" else ""


def pages() -> list[Path]:
    """The pages for users and contributors."""
    return [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "recipes").glob("*/README.md")),
    ]


def commands() -> list[Command]:
    """The commands of all pages, in their order, each once a page."""
    return list(dict.fromkeys(command for page in pages() for command in commands_of(page)))


def commands_of(page: Path) -> Iterator[Command]:
    """The commands of a page; a line that ends in a backslash goes on."""
    text = re.sub(r" *\\\n +", " ", page.read_text(encoding="utf-8"))
    language: str | None = None  # of the fenced block that is open
    for line in text.splitlines():
        if fence := FENCE.match(line):
            language = fence[1] if language is None else None
        elif language in SHELLS or (language is None and line.startswith("    ")):
            stripped = line.strip()
            if COMMAND.fullmatch(stripped):
                name = page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name
                yield Command(name, SAID.sub("", stripped).strip())
