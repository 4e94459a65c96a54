"""What `lasasr transcribe` is given: files, folders, patterns, tables, standard input."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lasasr.audio.inputs import FileInput, Input, SpanInput, UnusableInput, files_of, inputs
from lasasr.audio.read import HIGHEST_HZ
from lasasr.corpora.rows import rows
from lasasr.errors import LasasrError

STANDARD_INPUT = "-"
TABLES = (".tsv", ".jsonl")


class Recording(NamedTuple):
    """One of them."""

    audio: Input
    id: str  # of a table; else the name without its suffix
    place: Path  # of its files below --out, without their suffix; the folder below the one that was named


def recordings(named: Sequence[str]) -> list[Recording]:
    """All that is named, in order; what cannot be found raises when it is asked for its audio."""
    return [recording for text in named for recording in _named(text)]


def _named(text: str) -> Iterator[Recording]:
    try:
        if text == STANDARD_INPUT:
            yield _standard_input()
        elif Path(text).suffix in TABLES and not Path(text).is_dir():
            yield from _of_table(Path(text))
        else:
            yield from _of_pattern(text)
    except LasasrError as error:
        yield Recording(UnusableInput(text, error), Path(text).stem, Path(Path(text).stem))


def _of_pattern(text: str) -> Iterator[Recording]:
    if not Path(text).exists() and glob.has_magic(text):
        # unlike Path.glob it takes absolute patterns
        paths = sorted(glob.glob(text, recursive=True))  # noqa: PTH207
        if not paths:
            raise LasasrError(f"{text} matches no file")
    else:
        paths = [text]
    for path in map(Path, paths):
        base = path if path.is_dir() else path.parent
        for file in files_of(path):
            yield Recording(FileInput(file), file.stem, file.relative_to(base).with_suffix(""))


def _of_table(table: Path) -> Iterator[Recording]:
    for row in list(rows(table, untranscribed=True)):
        whole = not row.start_s and row.end_s is None
        audio = FileInput(row.audio) if whole else SpanInput(row.audio, row.start_s, row.end_s)
        yield Recording(audio, row.id, Path(row.id.replace("/", "_").lstrip(".") or "_"))


def _standard_input() -> Recording:
    (audio,) = inputs([sys.stdin.buffer], HIGHEST_HZ)
    audio.name = STANDARD_INPUT
    return Recording(audio, "stdin", Path("stdin"))
