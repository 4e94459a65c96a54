"""What a search returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Word:
    """One word of a hypothesis and when it was said."""

    word: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Hypothesis:
    """One reading of one utterance."""

    tokens: tuple[int, ...]  # without sos and eos
    score: float  # log; the weighted sum of `scores` by which hypotheses were ranked
    scores: dict[str, float] = field(default_factory=dict)  # log score of each scorer before weighting
    weights: Tensor | None = None  # (U + 1, H, T') attention weights per emitted token, the last row is eos's
    flags: tuple[str, ...] = ()  # "max_length", ...
    text: str = ""  # filled in by the recognizer
    words: tuple[Word, ...] = ()  # filled in by the recognizer when asked for times
