"""Words with their times, cut into subtitles: at most two lines of 42 characters, 1 to 7 s each.

Where to cut is found by dynamic programming over the words: of all cuts that keep to the limits, the one of least cost.
A cut costs `CUE`, less where the sentence or the speaker pauses; what is on screen too briefly, read too fast or held
through a pause costs more. A single word may be longer than a line, and is then one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from lasasr.search.hypothesis import Word

COLUMNS, LINES = 42, 2
LEAST_S, MOST_S = 1.0, 7.0
CUE = 1.0  # the cost of one more subtitle
PAUSE_S = 0.5  # between two words; a shorter one is no reason to cut
AT_PAUSE = 1.0  # what a cut costs less for each second of a pause, up to 1 s
AT_SENTENCE, AT_CLAUSE = 0.75, 0.3  # what it costs less behind . ! ? and behind , ; :
THROUGH_PAUSE = 2.0  # what each second beyond PAUSE_S costs that a subtitle is held through a pause
TOO_BRIEF = 3.0  # what each second below LEAST_S costs
CHARACTERS_PER_S, TOO_FAST = 20.0, 0.1  # what can be read, and what each character per second above it costs
_AT_PUNCTUATION = 10  # characters by which two lines may differ more where the first ends with punctuation
_MOMENT_S = 0.001


class Cue(NamedTuple):
    """One subtitle."""

    start_s: float
    end_s: float  # not after the next one starts
    lines: tuple[str, ...]


def cues(words: Sequence[Word]) -> list[Cue]:
    """The subtitles of `words`, in order; every word stands in one."""
    words = _in_order(words)
    return _timed([words[first:last] for first, last in segments(words)])


def segments(words: Sequence[Word]) -> list[tuple[int, int]]:
    """The first word of each subtitle, and the one behind its last; `words` are in order."""
    least, begins = [0.0], [0]
    for last in range(1, len(words) + 1):
        best, begin = math.inf, last - 1
        for first in range(last - 1, -1, -1):
            own = cost(words, first, last)
            if math.isinf(own):
                break  # and so has every longer one
            if least[first] + own < best:
                best, begin = least[first] + own, first
        least.append(best)
        begins.append(begin)
    found, last = [], len(words)
    while last:
        found.append((begins[last], last))
        last = begins[last]
    return found[::-1]


def cost(words: Sequence[Word], first: int, last: int) -> float:
    """Of a subtitle that holds words[first:last]; infinite where it is beyond the limits."""
    start_s, end_s = words[first].start_s, words[last - 1].end_s
    text = " ".join(word.word for word in words[first:last])
    if last - first > 1 and (end_s - start_s > MOST_S or wrapped(text) is None):
        return math.inf
    total = CUE
    pauses = [words[i + 1].start_s - words[i].end_s for i in range(first, last - 1)]
    total += THROUGH_PAUSE * sum(max(0.0, pause - PAUSE_S) for pause in pauses)
    shown_s = max(end_s - start_s, LEAST_S)
    if last < len(words):
        shown_s = min(shown_s, words[last].start_s - start_s)
        pause = words[last].start_s - end_s
        total -= AT_PAUSE * min(pause, 1.0) if pause >= PAUSE_S else 0.0
        total -= _punctuation(words[last - 1].word)
    total += TOO_BRIEF * max(0.0, LEAST_S - shown_s)
    return total + TOO_FAST * max(0.0, len(text) / max(shown_s, _MOMENT_S) - CHARACTERS_PER_S)


def wrapped(text: str) -> tuple[str, ...] | None:
    """`text` in at most LINES lines of COLUMNS characters, the two as long as each other; None where it is too long."""
    if len(text) <= COLUMNS:
        return (text,)
    splits = [(text[:i], text[i + 1 :]) for i, character in enumerate(text) if character == " "]
    fitting = [(above, below) for above, below in splits if max(len(above), len(below)) <= COLUMNS]

    def unevenness(lines: tuple[str, str]) -> float:
        above, below = lines
        return abs(len(above) - len(below)) - (_AT_PUNCTUATION if _punctuation(above) else 0)

    return min(fitting, key=unevenness, default=None)


def _punctuation(text: str) -> float:
    mark = text.rstrip("\"'”’)»")[-1:]
    return AT_SENTENCE if mark in ".!?…" and mark else AT_CLAUSE if mark in ",;:" and mark else 0.0


def _in_order(words: Sequence[Word]) -> list[Word]:
    """No word before the one that precedes it."""
    ordered, before_s = [], 0.0
    for word in words:
        start_s = max(word.start_s, before_s)
        ordered.append(Word(word.word, start_s, max(word.end_s, start_s)))
        before_s = start_s
    return ordered


def _timed(groups: Sequence[Sequence[Word]]) -> list[Cue]:
    """What is on screen too briefly stays until LEAST_S, or until the next one; nothing stays longer than MOST_S."""
    timed: list[Cue] = []
    for i, group in enumerate(groups):
        start_s = max(group[0].start_s, timed[-1].end_s if timed else 0.0)
        end_s = max(min(max(word.end_s for word in group), start_s + MOST_S), start_s + LEAST_S)
        if i + 1 < len(groups):
            end_s = min(end_s, groups[i + 1][0].start_s)
        text = " ".join(word.word for word in group)
        timed.append(Cue(start_s, max(end_s, start_s + _MOMENT_S), wrapped(text) or (text,)))
    return timed
