"""From eSpeak's marks to words and phones that each have a start and an end.

The marks are exact where the synthesizer writes them, but it does not write them where a phonetician would. These are
its properties (`Generate` in its source, and the waveforms):

* a word's mark comes before the closure of its first stop, the stop's own mark after it;
* between a nasal or liquid and a vowel the consonant sounds inside the beginning of the vowel: the vowel's mark is
  right, and a word that begins with that vowel is marked too early;
* a liquid after a vowel sounds inside the end of the vowel and has a mark but no duration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lasasr.corpora.espeak import Mark, Spoken
from lasasr.errors import LasasrError

_VOWELS, _SONORANTS, _STOPS = frozenset("aeiouAEIOUV03@"), frozenset("lrwjmnN;"), frozenset("ptkbdg")
_SHORTEST_S = 0.01  # what is shorter sounds inside its neighbour ...
_SHARE_OF_VOWEL = 1 / 3  # ... and is given this part of it
_LONGEST_CLOSURE_S, _HOP_S = 0.12, 0.005
_SILENT = 0.03  # of the loudest hop


class Segment(NamedTuple):
    """A word or phone from `start_s` to `end_s`."""

    symbol: str
    start_s: float
    end_s: float


class _Phone(NamedTuple):
    name: str  # without stress
    time_s: float
    word: int


def segments(text: str, spoken: Spoken) -> tuple[list[Segment], list[Segment]]:
    """Words and phones of `text` in order, without overlap; between them are pauses only.

    Raises:
        LasasrError: eSpeak did not mark every word.
    """
    names = text.split()
    if len(spoken.words) != len(names):
        raise LasasrError(f"eSpeak NG marks {len(spoken.words)} words of {len(names)} in {text!r}")
    phones, pauses = _by_word(spoken)
    starts = [_word_start(mark, i, phones) for i, mark in enumerate(spoken.words)]
    ends = []
    for i, start_s in enumerate(starts):
        following = starts[i + 1] if i + 1 < len(starts) else len(spoken.samples) / spoken.sampling_rate
        ends.append(min([following, *(pause_s for pause_s in pauses if start_s < pause_s)]))
    words = [Segment(*word) for word in zip(names, starts, ends, strict=True)]
    return words, _phone_segments(phones, words, spoken)


def _by_word(spoken: Spoken) -> tuple[list[_Phone], list[float]]:
    """Phones with the index of their word, and the times at which pauses begin."""
    word_at = {mark.position: i for i, mark in enumerate(spoken.words)}
    phones, pauses = [], []
    for mark in spoken.phones:
        if mark.name.startswith("_"):
            pauses.append(mark.time_s)
        else:
            phones.append(_Phone(mark.name.lstrip("',"), mark.time_s, word_at[mark.position]))
    return phones, pauses


def _word_start(mark: Mark, word: int, phones: Sequence[_Phone]) -> float:
    first = next((i for i, phone in enumerate(phones) if phone.word == word), 0)
    if first > 0 and phones[first].name[0] in _VOWELS and phones[first - 1].name[0] in _SONORANTS:
        return phones[first].time_s
    return mark.time_s


def _phone_segments(phones: Sequence[_Phone], words: Sequence[Segment], spoken: Spoken) -> list[Segment]:
    starts = [
        words[phone.word].start_s if i == 0 or phones[i - 1].word != phone.word else _closure_start(phone, spoken)
        for i, phone in enumerate(phones)
    ]
    for i in range(len(phones) - 1, 0, -1):
        end_s = _phone_end(i, starts, phones, words)
        if end_s - starts[i] < _SHORTEST_S and phones[i - 1].word == phones[i].word:
            starts[i] = starts[i - 1] + (1 - _SHARE_OF_VOWEL) * (end_s - starts[i - 1])
    return [Segment(phone.name, starts[i], _phone_end(i, starts, phones, words)) for i, phone in enumerate(phones)]


def _phone_end(i: int, starts: Sequence[float], phones: Sequence[_Phone], words: Sequence[Segment]) -> float:
    last_of_word = i + 1 == len(phones) or phones[i + 1].word != phones[i].word
    return words[phones[i].word].end_s if last_of_word else starts[i + 1]


def _closure_start(phone: _Phone, spoken: Spoken) -> float:
    """Where the silence before a stop within a word begins; for every other phone its mark."""
    if phone.name[0] not in _STOPS:
        return phone.time_s
    hop = int(_HOP_S * spoken.sampling_rate)
    end = int(phone.time_s * spoken.sampling_rate)
    count = min(int(_LONGEST_CLOSURE_S / _HOP_S), end // hop)
    before = spoken.samples[end - count * hop : end].astype(np.float64).reshape(count, hop)
    loudest = np.abs(spoken.samples.astype(np.int32)).max()
    loud = np.flatnonzero(np.abs(before).max(axis=1) > _SILENT * loudest)
    silent_hops = count - 1 - int(loud[-1]) if len(loud) else 0
    return phone.time_s - silent_hops * _HOP_S
