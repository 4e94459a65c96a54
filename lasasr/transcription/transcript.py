"""One recording and what was recognized in it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, NamedTuple

from lasasr.errors import LasasrError
from lasasr.search.hypothesis import Hypothesis, Word


class Transcript(NamedTuple):
    """One recording and what was recognized in it."""

    audio: str  # as it was named
    id: str  # a name without its folder and suffix, or that of the table
    duration_s: float
    hypothesis: Hypothesis

    def timed_words(self) -> tuple[Word, ...]:
        """The words with their times.

        Raises:
            LasasrError: there is a text, but no times.
        """
        if self.hypothesis.text and not self.hypothesis.words:
            raise LasasrError(
                f"{self.audio}: this search gives no word times; set search.keep_weights=true, or use a model with CTC"
            )
        return self.hypothesis.words

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        best = self.hypothesis
        return {
            "audio": self.audio,
            "id": self.id,
            "duration_s": round(self.duration_s, 3),
            "text": best.text,
            "score": best.score,
            "scores": best.scores,
            **({} if best.confidence is None else {"confidence": round(best.confidence, 4)}),
            "flags": list(best.flags),
            "words": [word.plain() for word in best.words],
            "times_from": best.times_from,
            "pieces": [asdict(piece) for piece in best.pieces],
            "nbest": [_ranked(reading) for reading in (best, *best.alternatives)],
        }


def _ranked(reading: Hypothesis) -> dict[str, Any]:
    return {"text": reading.text, "score": reading.score, "scores": reading.scores}
