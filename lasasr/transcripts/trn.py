"""sclite's transcript files: `the words (speaker-utterance)`, one utterance a line."""

from __future__ import annotations

from pathlib import Path

from lasasr.errors import LasasrError
from lasasr.transcripts.base import Collected, Texts, Transcripts
from lasasr.transcripts.lines import numbered_lines


def read(path: Path) -> Transcripts:
    """A .trn file.

    Raises:
        LasasrError: it is damaged; names file and line.
    """
    return Transcripts(path, texts=texts(path))


def texts(path: Path) -> Texts:
    """Utterance id → text. Lines that begin with ;; are comments."""
    collected, read_texts = Collected(path), {}
    for number, line in numbered_lines(path):
        if line.startswith(";;"):
            continue
        words, key = split_id(line)
        if key is None:
            raise LasasrError(f"{path}, line {number}: no (id) at its end, as a .trn has")
        if "{" in words.split():
            raise LasasrError(f"{path}, line {number}: alternatives {{ a / b }} are not read; leave one of them")
        read_texts[collected.new(key, number)] = words
    return read_texts


def split_id(line: str) -> tuple[str, str | None]:
    """The words and the id of a line; None: it has no id."""
    stripped = line.rstrip()
    begin = stripped.rfind("(")
    if begin < 0 or not stripped.endswith(")"):
        return stripped, None
    return stripped[:begin].strip(), stripped[begin + 1 : -1].strip()
