"""What a search returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal, get_args

from torch import Tensor

from lasasr.metrics.triage import NEAR_TIE, TOLERANCE

Kind = Literal["combined", "attention", "ctc"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)  # where word times come from, the best first


@dataclass(frozen=True)
class Word:
    """One word of a hypothesis and its times."""

    word: str
    start_s: float
    end_s: float
    confidence: float | None = None  # in [0, 1]: how probable it is that the word is right, where that was estimated

    def plain(self) -> dict[str, Any]:
        """As JSON has it; a confidence stands there only where there is one."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Piece:
    """A part of long audio that was recognized on its own."""

    start_s: float
    end_s: float
    overlaps: bool  # it was cut in speech and begins before the end of the piece before it
    text: str  # what it contributes


@dataclass(frozen=True)
class Hypothesis:
    """One reading of one utterance, or of long audio (`pieces`): tokens and scores then are those of all pieces."""

    tokens: tuple[int, ...]  # without sos and eos
    score: float  # log; the weighted sum of `scores` by which hypotheses were ranked
    scores: dict[str, float] = field(default_factory=dict)  # log score of each scorer before weighting
    weights: Tensor | None = None  # (U + 1, H, T') attention weights per emitted token, the last row is eos's
    flags: tuple[str, ...] = ()  # "max_length", ...
    text: str = ""  # filled in by the recognizer
    timed: Mapping[Kind, tuple[Word, ...]] = field(default_factory=dict)  # filled in when times are requested
    pieces: tuple[Piece, ...] = ()  # where audio was cut, those it was cut into
    alternatives: tuple[Hypothesis, ...] = ()  # the others of the n best, the best first; none where audio was cut

    @property
    def times_from(self) -> Kind | None:
        """The best kind of word times there is; None where there are none."""
        return next((kind for kind in KINDS if kind in self.timed), None)

    @property
    def words(self) -> tuple[Word, ...]:
        """The words with their times, of the best kind there is; none where times were not requested."""
        return self.timed[self.times_from] if self.times_from else ()

    @property
    def confidence(self) -> float | None:
        """The share of its words that is expected to be right; None where that was not calibrated or asked for."""
        values = [word.confidence for word in self.words if word.confidence is not None]
        return sum(values) / len(values) if values else None


def with_confidence(hypothesis: Hypothesis, confidences: Sequence[float]) -> Hypothesis:
    """The same, its words with these confidences; unchanged where it has another number of words."""
    timed = {
        kind: tuple(replace(word, confidence=round(value, 4)) for word, value in zip(words, confidences, strict=True))
        if len(words) == len(confidences)
        else words
        for kind, words in hypothesis.timed.items()
    }
    return replace(hypothesis, timed=timed)


def near_tied(ranked: Sequence[Hypothesis]) -> list[Hypothesis]:
    """Hypotheses of one utterance, best first: the best is flagged where the second scores nearly as high, no other."""
    plain = [
        replace(hypothesis, flags=tuple(flag for flag in hypothesis.flags if flag != NEAR_TIE)) for hypothesis in ranked
    ]
    if len(plain) > 1 and plain[0].score - plain[1].score < TOLERANCE:
        plain[0] = replace(plain[0], flags=(*plain[0].flags, NEAR_TIE))
    return plain
