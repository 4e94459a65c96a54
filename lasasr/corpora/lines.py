"""Utterances that are whole audio files, as a corpus lists them → cuts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from lhotse import MonoCut
from lhotse.supervision import AlignmentItem

from lasasr.corpora.audio_faults import AudioFaultsError
from lasasr.corpora.audio_files import Size, size
from lasasr.corpora.base import Progress
from lasasr.corpora.manifest import recording, utterance
from lasasr.errors import LasasrError

_READERS = 8  # threads that read the headers of audio files
_EVERY = 100  # utterances between two reports of progress


class Span(NamedTuple):
    """A word or phone, in samples from the beginning of the file."""

    symbol: str
    start: int
    end: int


class Line(NamedTuple):
    """One utterance and the audio file that it fills."""

    id: str
    text: str
    speaker: str
    audio: Path
    alignment: Mapping[str, Sequence[Span]] | None = None  # "word", "phone"


def cuts(split: str, lines: Sequence[Line], progress: Progress) -> Iterator[MonoCut]:
    """Cuts of `lines` in their order; the headers of several files are read at once.

    Raises:
        LasasrError: an audio file is missing, unreadable, empty or of several channels, or ends before the time of
            an alignment; raised for the first such, when all have been read, with the ids of the others.
    """
    faults: dict[str, LasasrError] = {}
    with ThreadPoolExecutor(_READERS) as readers:
        for done, (line, cut) in enumerate(zip(lines, readers.map(_tried, lines), strict=True), start=1):
            if done % _EVERY == 0 or done == len(lines):
                progress(f"reading {split}", done, len(lines))
            if isinstance(cut, LasasrError):
                faults[line.id] = cut
            else:
                yield cut
    if faults:
        raise AudioFaultsError(split, {name: str(fault) for name, fault in faults.items()})


def _tried(line: Line) -> MonoCut | LasasrError:
    try:
        return _cut(line)
    except LasasrError as fault:
        return fault


def _cut(line: Line) -> MonoCut:
    audio_size = size(line.audio)
    if audio_size.channels != 1:
        raise LasasrError(f"{line.audio} has {audio_size.channels} channels, not one; mix it down")
    whole = recording(line.id, line.audio, audio_size.sampling_rate, audio_size.samples)
    timed = {kind: [_item(line, span, audio_size) for span in spans] for kind, spans in (line.alignment or {}).items()}
    return utterance(line.id, line.text, line.speaker, whole, alignment=timed or None)


def _item(line: Line, span: Span, audio_size: Size) -> AlignmentItem:
    if not 0 <= span.start <= span.end <= audio_size.samples:
        raise LasasrError(
            f"{span.symbol!r} of {line.id} lasts from sample {span.start} to {span.end}, but {line.audio} has "
            f"{audio_size.samples}"
        )
    return AlignmentItem(
        span.symbol, span.start / audio_size.sampling_rate, (span.end - span.start) / audio_size.sampling_rate
    )
