"""What the page asks for, as HTML: a recording is taken, recognized, and forgotten but for its session."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lasasr.app import kept, markup
from lasasr.app.answer import answers
from lasasr.app.recording import Recording, taken
from lasasr.app.systems import System
from lasasr.errors import LasasrError


class Desk(NamedTuple):
    """The recognizers, and where things lie."""

    systems: Sequence[System]
    uploads: Path  # the folder of files that browsers send
    nbest: int
    grace_s: float  # after which a file that was sent is removed
    keep: Path | None = None  # where recordings and answers are kept; None: nowhere

    def receive(self, upload: str | None, hot_words: str) -> tuple[str, Recording | None]:
        """Recognize a file that was sent, and remove it; the HTML, and the recording for the session."""
        if upload is None:
            return "", None
        try:
            recording = taken(Path(upload), self.uploads, self.grace_s)
        except LasasrError as error:
            return markup.problem(str(error)), None
        return self.answer(recording, hot_words), recording

    def answer(self, recording: Recording | None, hot_words: str) -> str:
        """Recognize what the session holds."""
        if recording is None:
            return markup.problem("there is no recording yet: record something, or drop a file")
        try:
            made = answers(self.systems, recording, hot_words, self.nbest)
            if self.keep is not None:
                kept.keep(self.keep, recording, made)
        except (LasasrError, OSError) as error:
            return markup.problem(str(error))
        return markup.page(recording, made)
