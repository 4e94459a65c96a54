"""How often the decoder reads its own prediction in training (scheduled sampling, Bengio et al. 2015, §2.4).

A schedule gives the probability for a training step; the draw itself, per utterance and token, is `base.sampled`.
Bengio et al. lower ε, the probability of reading the reference; what a schedule returns is 1 − ε.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling(ABC):
    """Step (updates made so far) → probability of reading the model's own prediction.

    It is 0 before step `start` and never above `most`.

    Raises:
        ValueError: an option is outside its range.
    """

    most: float = 0.0
    start: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.most <= 1.0:
            raise ValueError(f"most must lie in [0, 1], got {self.most}")
        if self.start < 0:
            raise ValueError(f"start must be ≥ 0, got {self.start}")

    def __call__(self, step: int) -> float:
        return 0.0 if step < self.start else min(self.most, 1.0 - self.reference(step - self.start))

    @abstractmethod
    def reference(self, step: int) -> float:
        """ε in [0, 1], `step` ≥ 0 steps after the start."""


@dataclass(frozen=True)
class Constant(Sampling):
    """`most` throughout, as in LAS with 0.1 (Chan et al. 2015, §4.1)."""

    def reference(self, step: int) -> float:
        return 0.0


@dataclass(frozen=True)
class Linear(Sampling):
    """ε = 1 − step / steps, until it is 0."""

    steps: int = 10_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1:
            raise ValueError(f"steps must be ≥ 1, got {self.steps}")

    def reference(self, step: int) -> float:
        return max(0.0, 1.0 - step / self.steps)


@dataclass(frozen=True)
class Exponential(Sampling):
    """ε = k^step with 0 < k < 1."""

    k: float = 0.9999

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.k < 1.0:
            raise ValueError(f"k must lie between 0 and 1, got {self.k}")

    def reference(self, step: int) -> float:
        return math.exp(step * math.log(self.k))


@dataclass(frozen=True)
class InverseSigmoid(Sampling):
    """ε = k / (k + exp(step / k)) with k ≥ 1: one half after k · ln k steps."""

    k: float = 1000.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k < 1.0:
            raise ValueError(f"k must be ≥ 1, got {self.k}")

    def reference(self, step: int) -> float:
        falling = self.k * math.exp(-step / self.k)  # numerator and denominator over exp(step / k), which overflows
        return falling / (falling + 1.0)
