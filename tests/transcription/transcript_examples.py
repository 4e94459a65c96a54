"""Words with random times, as recognizers give them, and transcripts of them."""

from __future__ import annotations

import random
from pathlib import Path

from lasasr.search.hypothesis import Hypothesis, Piece, Word
from lasasr.transcription.transcript import Transcript


def words(seed: int, count: int) -> list[Word]:
    """Words of 1 to 14 letters, some with punctuation; pauses of up to 3 s, now and then an overlap."""
    draw = random.Random(seed)
    now, drawn = draw.random(), []
    for _ in range(count):
        text = "".join(draw.choice("abcdé&<\"'") for _ in range(draw.randint(1, 14)))
        end_s = now + draw.choice([0.0, 0.1, 0.3, 0.6])
        drawn.append(Word(text + draw.choice(["", "", "", ".", ","]), round(now, 3), round(end_s, 3)))
        now = max(0.0, end_s + draw.choice([-0.05, 0.0, 0.0, 0.0, 0.1, 0.6, 3.0]))
    return drawn


def transcript(seed: int, count: int = 40, audio: str = "talks/a b.wav", pieces: int = 0) -> Transcript:
    """One of such words."""
    drawn = words(seed, count)
    end_s = max([word.end_s for word in drawn], default=0.0) + 0.5
    text = " ".join(word.word for word in drawn)
    cut = tuple(Piece(i * end_s / pieces, (i + 1) * end_s / pieces, False, f"piece {i}") for i in range(pieces))
    hypothesis = Hypothesis((4, 5), -1.25, text=text, timed={"ctc": tuple(drawn)}, pieces=cut)
    return Transcript(audio, Path(audio).stem, end_s, hypothesis)
