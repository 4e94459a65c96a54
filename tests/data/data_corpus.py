"""A small corpus of noise bursts with texts, written as the corpora write theirs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment

from lasasr.errors import LasasrError
from lasasr.text import special

LETTERS = "abcdefgh "


class Letters:
    """A tokenizer of a few letters."""

    def __init__(self, letters: str = LETTERS) -> None:
        self.letters = letters

    def encode(self, text: str) -> list[int]:
        for letter in text:
            if letter not in self.letters:
                raise LasasrError(f"character {letter!r} is outside the vocabulary")
        return [special.FIRST_TEXT + self.letters.index(letter) for letter in text]

    def encode_inside(self, text: str) -> list[int]:
        return self.encode("".join(letter for letter in text if letter in self.letters))


def cut(path: Path, name: str, text: str | None, **options: Any) -> MonoCut:
    recording = Recording.from_file(path, recording_id=name)
    supervision = SupervisionSegment(
        name, name, 0.0, recording.duration, text=text, speaker=f"speaker {name}", **options
    )
    return MonoCut(name, 0.0, recording.duration, 0, supervisions=[supervision], recording=recording)


def write_manifest(folder: Path, cuts: Sequence[Any]) -> Path:
    path = folder / "train.jsonl.gz"
    CutSet.from_cuts(cuts).to_file(path)
    return path


def write_corpus(folder: Path, *samples: int, rate_hz: int = 16_000, suffix: str = "wav") -> Path:
    """Write utterances u0, u1, ... of so many samples each; return the manifest."""
    random = np.random.default_rng(0)
    cuts = []
    for number, count in enumerate(samples):
        path = folder / f"u{number}.{suffix}"
        soundfile.write(path, random.uniform(-0.5, 0.5, count), rate_hz)
        cuts.append(cut(path, f"u{number}", " ".join(LETTERS[: 1 + number % 8])))
    return write_manifest(folder, cuts)
