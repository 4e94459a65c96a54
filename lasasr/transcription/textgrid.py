"""Praat's TextGrid, in its long form."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lasasr.transcription.transcript import Transcript

Interval = tuple[float, float, str]


def textgrid(transcript: Transcript) -> str:
    """A tier of words, and one of pieces where long audio was cut; what nobody said is an empty interval."""
    tiers = {"words": [(word.start_s, word.end_s, word.word) for word in transcript.timed_words()]}
    if transcript.hypothesis.pieces:
        tiers["pieces"] = [(piece.start_s, piece.end_s, piece.text) for piece in transcript.hypothesis.pieces]
    latest_s = max([transcript.duration_s, *(end_s for tier in tiers.values() for _, end_s, _ in tier)])
    end_s = math.ceil(latest_s * 1000 - 1e-6) / 1000  # a whole millisecond: it is said once, and intervals end there
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end_s:.3f}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, spans) in enumerate(tiers.items(), start=1):
        lines += _tier(number, name, partition(spans, end_s), end_s)
    return "\n".join(lines) + "\n"


def partition(spans: Iterable[Interval], end_s: float) -> list[Interval]:
    """Spans and the gaps between them, from 0 to `end_s`, to a millisecond; what overlaps is cut at its beginning."""
    intervals: list[Interval] = []
    end, reached = round(end_s * 1000), 0
    for begins_s, ends_s, text in spans:
        begin, last = max(round(begins_s * 1000), reached), round(ends_s * 1000)
        if last <= begin:  # the word before it lasts as long: it must stand somewhere
            begin, last = max(begin - 1, reached), begin + 1
        if begin >= end:
            if intervals:
                before = intervals[-1]
                intervals[-1] = (before[0], before[1], f"{before[2]} {text}".strip())
            continue
        last = min(last, end)
        if begin > reached:
            intervals.append((reached / 1000, begin / 1000, ""))
        intervals.append((begin / 1000, last / 1000, text))
        reached = last
    if reached < end or not intervals:
        intervals.append((reached / 1000, end / 1000, ""))
    return intervals


def _tier(number: int, name: str, intervals: list[Interval], end_s: float) -> list[str]:
    lines = [f"    item [{number}]:", '        class = "IntervalTier"', f"        name = {_quoted(name)}"]
    lines += ["        xmin = 0", f"        xmax = {end_s:.3f}", f"        intervals: size = {len(intervals)}"]
    for i, (start_s, stop_s, text) in enumerate(intervals, start=1):
        lines += [
            f"        intervals [{i}]:",
            f"            xmin = {start_s:.3f}",
            f"            xmax = {stop_s:.3f}",
            f"            text = {_quoted(text)}",
        ]
    return lines


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
