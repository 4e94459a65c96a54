"""What a search returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from torch import Tensor

Kind = Literal["combined", "attention", "ctc"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)  # where word times come from, the best first


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
    timed: Mapping[Kind, tuple[Word, ...]] = field(default_factory=dict)  # filled in when asked for times

    @property
    def times_from(self) -> Kind | None:
        """The best kind of word times there is; None where there are none."""
        return next((kind for kind in KINDS if kind in self.timed), None)

    @property
    def words(self) -> tuple[Word, ...]:
        """The words with their times, of the best kind there is; none where times were not asked for."""
        return self.timed[self.times_from] if self.times_from else ()
