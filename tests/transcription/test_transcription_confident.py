"""What is sure enough stays; of long audio piece by piece."""

from __future__ import annotations

import pytest

from lasasr.search.hypothesis import Hypothesis, Piece, Word
from lasasr.transcription.confident import confident


def words(*confidences: float | None) -> tuple[Word, ...]:
    return tuple(Word(f"w{n}", float(n), n + 0.8, value) for n, value in enumerate(confidences))


@pytest.mark.parametrize(
    ("confidences", "kept"), [((0.8, 1.0), True), ((0.79, 1.0), False), ((None, None), False), ((), False)]
)
def test_a_recording_stays_by_the_mean_of_its_words(confidences: tuple[float | None, ...], kept: bool) -> None:
    hypothesis = Hypothesis((), 0.0, text="t", timed={"ctc": words(*confidences)})
    assert (confident(hypothesis, 0.9) is hypothesis) is kept
    assert kept or confident(hypothesis, 0.9) is None


def test_pieces_stay_by_the_words_in_them() -> None:
    pieces = tuple(Piece(start, start + 2.0, False, f"from {start}") for start in (0.0, 2.0, 4.0))
    hypothesis = Hypothesis((), 0.0, timed={"ctc": words(0.9, 0.9, 0.2, 0.9, 0.6, 0.7)}, pieces=pieces)
    kept = confident(hypothesis, 0.6)
    assert kept is not None
    assert [piece.text for piece in kept.pieces] == ["from 0.0", "from 4.0"]
    assert confident(hypothesis, 0.95) is None
