"""What of a transcript is sure enough to be learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lasasr.search.hypothesis import Hypothesis, Piece, Word


def confident(hypothesis: Hypothesis, least: float) -> Hypothesis | None:
    """The hypothesis, of long audio with its sure pieces alone; None: nothing of it is sure, or it has no text.

    Args:
        least: mean confidence of the words of a recording, or of a piece, in [0, 1].
    """
    if not hypothesis.pieces:
        return hypothesis if _sure(hypothesis.words, least) else None
    pieces = tuple(piece for piece in hypothesis.pieces if _sure(_words_in(piece, hypothesis.words), least))
    return replace(hypothesis, pieces=pieces) if pieces else None


def _words_in(piece: Piece, words: Sequence[Word]) -> list[Word]:
    return [word for word in words if piece.start_s <= 0.5 * (word.start_s + word.end_s) < piece.end_s]


def _sure(words: Sequence[Word], least: float) -> bool:
    values = [word.confidence for word in words if word.confidence is not None]
    return bool(values) and sum(values) / len(values) >= least
