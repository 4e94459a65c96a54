"""NIST's segment time marks (STM, references) and time-marked conversations (CTM, recognised words)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lasasr.errors import LasasrError
from lasasr.transcripts.base import Collected, Segment, Texts, TimedWord, Transcripts
from lasasr.transcripts.lines import numbered_lines

IGNORED: Final = "ignore_time_segment_in_scoring"


def read_stm(path: Path) -> Transcripts:
    """`recording channel speaker begin end [<labels>] words`; an utterance is called `recording-channel-begin-end`.

    Raises:
        LasasrError: it is damaged; names file and line.
    """
    collected = Collected(path)
    texts: Texts = {}
    speakers: Texts = {}
    segments: list[Segment] = []
    for number, line in numbered_lines(path):
        if line.startswith(";;"):
            continue
        fields = line.split()
        if len(fields) < 5:
            raise LasasrError(f"{path}, line {number}: {len(fields)} fields, an STM has at least 5")
        recording, channel, speaker, begin, end, *words = fields
        start_s, end_s = _seconds(path, number, begin), _seconds(path, number, end)
        if end_s < start_s:
            raise LasasrError(f"{path}, line {number}: the segment ends at {end} s, before it begins at {begin} s")
        words = words[1:] if words[:1] and words[0].startswith("<") and words[0].endswith(">") else words
        key = collected.new(f"{recording}-{channel}-{begin}-{end}", number)
        ignored = " ".join(words).lower() == IGNORED
        segments.append(Segment(None if ignored else key, f"{recording} {channel}", start_s, end_s))
        if not ignored:
            texts[key], speakers[key] = " ".join(words), speaker
    return Transcripts(path, texts=texts, speakers=speakers, segments=tuple(segments))


def read_ctm(path: Path) -> Transcripts:
    """`recording channel begin duration word [confidence]`; without segments an utterance is a recording.

    Raises:
        LasasrError: it is damaged; names file and line.
    """
    words: list[TimedWord] = []
    by_recording: dict[str, list[tuple[float, str]]] = {}
    for number, line in numbered_lines(path):
        if line.startswith(";;"):
            continue
        fields = line.split()
        if len(fields) < 5:
            raise LasasrError(f"{path}, line {number}: {len(fields)} fields, a CTM has at least 5")
        recording, channel, begin, duration, word = fields[:5]
        begin_s = _seconds(path, number, begin)
        words.append(TimedWord(f"{recording} {channel}", begin_s + _seconds(path, number, duration) / 2.0, word))
        by_recording.setdefault(recording, []).append((begin_s, word))
    texts = {
        recording: " ".join(word for _, word in sorted(timed, key=lambda pair: pair[0]))
        for recording, timed in by_recording.items()
    }
    return Transcripts(path, texts=texts, words=tuple(words))


def by_segment(path: Path, words: Sequence[TimedWord], segments: Sequence[Segment]) -> Texts:
    """The recognised text of each segment, as sclite assigns words to them.

    A word belongs to the first segment of its recording that ends after the word's middle, or else to the last one: a
    word between two segments is an insertion in the second. What belongs to a segment that is not scored is left out. A
    segment without any word is silence if its recording has words elsewhere; one of a recording that has none at all is
    left out, since a CTM does not say whether that recording was recognised.

    Raises:
        LasasrError: a recording has no segment.
    """
    of_recording: dict[str, list[Segment]] = {}
    for segment in sorted(segments, key=lambda segment: (segment.start_s, segment.end_s)):
        of_recording.setdefault(segment.recording, []).append(segment)
    recognised = {word.recording for word in words}
    texts: dict[str, list[str]] = {
        segment.id: [] for segment in segments if segment.id is not None and segment.recording in recognised
    }
    for word in sorted(words, key=lambda word: word.middle_s):
        if word.recording not in of_recording:
            raise LasasrError(f"{path}: recording {word.recording} has no segment in the reference")
        candidates = of_recording[word.recording]
        segment = next((one for one in candidates if one.end_s > word.middle_s), candidates[-1])
        if segment.id is not None:
            texts[segment.id].append(word.word)
    return {key: " ".join(listed) for key, listed in texts.items()}


def _seconds(path: Path, number: int, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise LasasrError(f"{path}, line {number}: {text!r} is no time in seconds")
    return seconds
