"""The formats of transcripts: text, JSON, subtitles, CTM, TextGrid, and a table that training reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import NamedTuple

from lasasr.escaping import escaped
from lasasr.transcription.subtitles import cues
from lasasr.transcription.textgrid import textgrid
from lasasr.transcription.transcript import Transcript


class Format(NamedTuple):
    """How transcripts are written."""

    suffix: str  # of files
    render: Callable[[Transcript], str]  # ends its last line
    timed: bool = True  # whether it needs the times of words
    header: str = ""  # of a file, or of all that is printed
    joinable: bool = True  # whether several recordings may stand in one


def jsonl(transcript: Transcript) -> str:
    """One object in one line."""
    return json.dumps(transcript.plain(), ensure_ascii=False) + "\n"


def document(transcript: Transcript) -> str:
    """One object, indented."""
    return json.dumps(transcript.plain(), ensure_ascii=False, indent=2) + "\n"


def text(transcript: Transcript) -> str:
    """The text alone."""
    return f"{transcript.hypothesis.text}\n"


def srt(transcript: Transcript) -> str:
    """SubRip subtitles."""
    blocks = [
        "\n".join([str(number), f"{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}", *cue.lines])
        for number, cue in enumerate(cues(transcript.timed_words()), start=1)
    ]
    return "".join(f"{block}\n\n" for block in blocks)


def vtt(transcript: Transcript) -> str:
    """WebVTT subtitles (W3C), without the header."""
    blocks = [
        "\n".join([f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}", *(escape(x, False) for x in cue.lines)])
        for cue in cues(transcript.timed_words())
    ]
    return "".join(f"\n{block}\n" for block in blocks)


def ctm(transcript: Transcript) -> str:
    """NIST's CTM: recording, channel, start (s), duration (s), word, and the confidence where there is one."""
    name = escaped("_".join(transcript.id.split()))
    lines = []
    for word in transcript.timed_words():
        confidence = "" if word.confidence is None else f" {word.confidence:.4f}"
        lines.append(f"{name} 1 {word.start_s:.3f} {word.end_s - word.start_s:.3f} {word.word}{confidence}\n")
    return "".join(lines)


def tsv(transcript: Transcript) -> str:
    """Rows of a table as `corpus=table` reads it: one per recording, or per piece of long audio; none without text."""
    audio, best = escaped(str(Path(transcript.audio).absolute())), transcript.hypothesis
    name = escaped(transcript.id)
    rows = [(name, 0.0, transcript.duration_s, best.text)]
    if len(best.pieces) == 1:
        rows = [(name, piece.start_s, piece.end_s, piece.text) for piece in best.pieces]
    elif best.pieces:
        rows = [(f"{name}-{i}", piece.start_s, piece.end_s, piece.text) for i, piece in enumerate(best.pieces)]
    return "".join(
        f"{row}\t{audio}\t{start_s:.3f}\t{min(end_s, transcript.duration_s):.3f}\t{words}\n"
        for row, start_s, end_s, words in rows
        if words
    )


FORMATS = {
    "text": Format(".txt", text, timed=False),
    "json": Format(".json", document, joinable=False),
    "jsonl": Format(".jsonl", jsonl),
    "srt": Format(".srt", srt, joinable=False),
    "vtt": Format(".vtt", vtt, header="WEBVTT\n", joinable=False),
    "ctm": Format(".ctm", ctm),
    "textgrid": Format(".TextGrid", textgrid, joinable=False),
    "tsv": Format(".tsv", tsv, timed=False, header="id\taudio\tstart_s\tend_s\ttext\n"),
}


def _clock(seconds: float, mark: str) -> str:
    """HH:MM:SS and milliseconds behind `mark`."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{mark}{rest % 1000:03d}"
