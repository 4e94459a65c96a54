"""What a file of texts holds, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from lasasr.errors import LasasrError

ROLES: Final = ("id", "reference", "hypothesis", "speaker", "duration")
"""What the columns of a table or the keys of JSON lines can be chosen for."""

Texts = dict[str, str]  # utterance id → text


class Segment(NamedTuple):
    """A stretch of a recording that a reference describes."""

    id: str | None  # None: it is not scored, and neither is what was recognised in it
    recording: str
    start_s: float
    end_s: float


class TimedWord(NamedTuple):
    """A recognised word."""

    recording: str
    middle_s: float
    word: str


@dataclass(frozen=True)
class Transcripts:
    """The content of one file, or of a result folder.

    `texts` is set where the format does not say whether they are references or hypotheses; else the other two, as far
    as the file has them.
    """

    path: Path
    texts: Texts | None = None
    references: Texts | None = None
    hypotheses: Texts | None = None
    speakers: Texts = field(default_factory=dict)  # utterance id → speaker
    durations_s: dict[str, float] = field(default_factory=dict)
    columns: dict[str, Texts] = field(default_factory=dict)  # name of any other column → utterance id → value
    segments: tuple[Segment, ...] = ()
    words: tuple[TimedWord, ...] = ()
    ids_note: str = ""  # why the ids may differ from those of other files of the same test set, and the way out

    def own_references(self) -> Texts | None:
        """The references that a file of hypotheses brings; None: it has none."""
        return self.references

    def as_references(self) -> Texts:
        """The texts as references.

        Raises:
            LasasrError: the file has hypotheses only.
        """
        texts = self.texts if self.references is None else self.references
        if texts is None:
            raise LasasrError(f"{self.path} has no column of references; --columns reference=NAME names it")
        return texts

    def as_hypotheses(self) -> Texts:
        """The texts as hypotheses.

        Raises:
            LasasrError: the file has references only.
        """
        texts = self.texts if self.hypotheses is None else self.hypotheses
        if texts is None:
            raise LasasrError(f"{self.path} has no column of hypotheses; --columns hypothesis=NAME names it")
        return texts


class Collected:
    """Collects texts by utterance id, each id once.

    Args:
        path: of the file, for messages.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[str, int] = {}

    def new(self, key: str, number: int) -> str:
        """`key`, which was not there before.

        Args:
            number: of the line.

        Raises:
            LasasrError: it is empty or stands twice; names both lines.
        """
        if not key:
            raise LasasrError(f"{self.path}, line {number}: the utterance has no id")
        if (first := self.lines.setdefault(key, number)) != number:
            raise LasasrError(f"{self.path}: utterance {key} stands twice, in lines {first} and {number}")
        return key


def refuse_unknown_roles(columns: Mapping[str, str]) -> None:
    """Refuse a choice of a column for something that is none.

    Raises:
        LasasrError: names what a column can be chosen for.
    """
    for role in columns:
        if role not in ROLES:
            raise LasasrError(f"--columns {role}=...: a column is one of {', '.join(ROLES)}")
