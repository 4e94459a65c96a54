"""Kaldi's tables: `utterance the words`, one utterance a line, and utt2spk."""

from __future__ import annotations

from pathlib import Path

from lasasr.errors import LasasrError
from lasasr.transcripts.base import Collected, Texts, Transcripts
from lasasr.transcripts.lines import numbered_lines


def read(path: Path) -> Transcripts:
    """A text file, with the speakers of the utt2spk beside it where there is one.

    Raises:
        LasasrError: it is damaged; names file and line.
    """
    beside = path.with_name("utt2spk")
    return Transcripts(path, texts=table(path), speakers=utt2spk(beside) if beside.is_file() else {})


def table(path: Path) -> Texts:
    """Utterance id → the rest of its line, which may be empty."""
    collected, rows = Collected(path), {}
    for number, line in numbered_lines(path):
        key, _, rest = line.strip().replace("\t", " ", 1).partition(" ")
        rows[collected.new(key, number)] = rest.strip()
    return rows


def utt2spk(path: Path) -> Texts:
    """Utterance id → speaker.

    Raises:
        LasasrError: an utterance has none, or several.
    """
    speakers = table(path)
    for key, speaker in speakers.items():
        if len(speaker.split()) != 1:
            raise LasasrError(f"{path}: the speaker of {key} is {speaker!r}, not one word")
    return speakers
