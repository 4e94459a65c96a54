"""The voices of the synthetic corpus: accents and variants of eSpeak NG, apart for train, dev and test.

Many variants are near copies of each other. Of those nearer than 0.3 in their long-term log spectrum (root mean square
of the difference in nepers, fifty bands, one sentence) none are in two splits; whispers, robots and heavy echoes
are in none.
"""

from __future__ import annotations

import random
from typing import Final

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


def draw_voice(split: str, rng: random.Random) -> Voice:
    """A voice of `split` at a random rate and pitch."""
    return Voice(
        accent=rng.choice(ACCENTS),
        variant=rng.choice(VARIANTS[split]),
        rate_wpm=rng.randint(*_RATES_WPM),
        pitch=rng.randint(*_PITCHES),
        pitch_range=rng.randint(*_PITCH_RANGES),
    )
