"""The voices of the synthetic corpus: accents and variants of eSpeak NG, apart for train, dev and test.

Many variants are near copies of each other. Of those nearer than 0.3 in their long-term log spectrum (root mean square
of the difference in nepers, fifty bands, one sentence) none are in two splits; whispers, robots and heavy echoes
are in none.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, Final

from lasasr.corpora.espeak import Voice

ACCENTS: Final = ("en-us", "en-us-nyc", "en", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-scotland", "en-029")

VARIANTS: Final = {
    "train": (
        *("f1", "f3", "f4", "linda", "aunty", "Andrea", "Alicia", "steph", "grandma", "zac"),
        *("m2", "m4", "m5", "m6", "m7", "m8", "Mike", "Diogo", "miguel", "Denis", "Michael", "Mario", "Gene", "Andy"),
        *("croak", "john", "grandpa", "klatt3", "edward", "adam", "mike2", "announcer", "kaukovalta", "Alex"),
        *("quincy", "Nguyen", "iven4", "Marco", "pablo", "norbert", "ian", "Jacky", "pedro"),
    ),
    "dev": ("f5", "belinda", "anika", "m3", "robert", "sandro", "antonio", "ed", "david", "Tweaky"),
    "test": ("f2", "Annie", "shelby", "m1", "max", "marcelo", "paul", "travis", "Lee", "boris"),
}

_RATES_WPM, _PITCHES, _PITCH_RANGES = (140, 220), (25, 75), (30, 70)


# The synthetic shift: other rates and pitches of a split's own variants, whispers and a creaking voice. There are two
# whispers and one creak in eSpeak NG: splits have them in other accents, and train the first whisper alone.
_SHIFTS: Final = ("slow", "fast", "low", "high", "whisper", "creak")
_SHIFTED_RATES_WPM: Final = {"slow": (80, 110), "fast": (260, 330)}
_SHIFTED_PITCHES: Final = {"low": (0, 12), "high": (88, 99), "creak": (0, 25)}
_SHIFTED_VARIANTS: Final = {
    "whisper": {"train": "whisper", "dev": "whisperf", "test": "whisperf"},
    "creak": dict.fromkeys(("train", "dev", "test"), "croak"),
}
_SHARED_VARIANTS: Final = {variant for of_split in _SHIFTED_VARIANTS.values() for variant in of_split.values()}
_SHIFTED_ACCENTS: Final = {"train": ACCENTS[:4], "dev": ACCENTS[4:5], "test": ACCENTS[5:]}


def draw_shifted_voice(split: str, rng: random.Random) -> Voice:
    """A voice of the synthetic shift: one of `draw_voice`, with one thing other than any of those has."""
    shift, usual = rng.choice(_SHIFTS), draw_voice(split, rng)
    changes: dict[str, Any] = {}
    if shift in _SHIFTED_VARIANTS:
        changes["variant"] = _SHIFTED_VARIANTS[shift][split]
    if changes.get("variant", usual.variant) in _SHARED_VARIANTS:
        changes["accent"] = rng.choice(_SHIFTED_ACCENTS[split])
    if shift in _SHIFTED_RATES_WPM:
        changes["rate_wpm"] = rng.randint(*_SHIFTED_RATES_WPM[shift])
    if shift in _SHIFTED_PITCHES:
        changes["pitch"] = rng.randint(*_SHIFTED_PITCHES[shift])
    return replace(usual, **changes)


def draw_voice(split: str, rng: random.Random) -> Voice:
    """A voice of `split` at a random rate and pitch."""
    return Voice(
        accent=rng.choice(ACCENTS),
        variant=rng.choice(VARIANTS[split]),
        rate_wpm=rng.randint(*_RATES_WPM),
        pitch=rng.randint(*_PITCHES),
        pitch_range=rng.randint(*_PITCH_RANGES),
    )
