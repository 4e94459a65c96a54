"""How long a hypothesis may and must be."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

MOST_RATIO = 100.0  # tokens per encoded frame: no speech is so fast, and a search must end


@dataclass(frozen=True)
class Limits:
    """Bounds on U, the tokens of a hypothesis without eos, from the T' encoded frames of its utterance.

    A hypothesis is at least max(min_ratio · T', min_length) and at most min(max_ratio · T', max_length) tokens long,
    each product rounded up and the upper bound at least 1. Where both conflict the upper bound wins. At the upper
    bound eos is forced and scored; a hypothesis that preferred to go on is flagged "max_length".

    Raises:
        ValueError: a bound is negative, or the upper one is 0 or above `MOST_RATIO`.
    """

    min_ratio: float = 0.0  # tokens per encoded frame
    max_ratio: float = 2.0  # tokens per encoded frame: 25 a second at a frame of 80 ms
    min_length: int = 0  # tokens
    max_length: int | None = None  # tokens

    def __post_init__(self) -> None:
        if not 0 <= self.min_ratio < math.inf or self.min_length < 0:
            raise ValueError(f"min_ratio and min_length must be >= 0, got {self.min_ratio} and {self.min_length}")
        if not 0 < self.max_ratio <= MOST_RATIO:
            raise ValueError(f"max_ratio must be > 0 and at most {MOST_RATIO:g}, got {self.max_ratio}")
        if self.max_length is not None and self.max_length < 1:
            raise ValueError(f"max_length must be >= 1, got {self.max_length}")

    def bounds(self, lengths: Tensor) -> tuple[list[int], list[int]]:
        """Fewest and most tokens of each utterance, from its encoded frames `lengths` (B,)."""
        frames = lengths.tolist()
        longest = [max(1, math.ceil(self.max_ratio * t)) for t in frames]
        if self.max_length is not None:
            longest = [min(most, self.max_length) for most in longest]
        shortest = [max(math.ceil(self.min_ratio * t), self.min_length) for t in frames]
        return [min(least, most) for least, most in zip(shortest, longest, strict=True)], longest
