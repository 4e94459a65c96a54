"""Learning-rate schedules: the factor on the peak rate as a function of the step (updates made so far)."""

from __future__ import annotations

from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from lasasr.configuration.configurable import configurable

Factor = Callable[[int], float]


def _check(warmup_steps: int, final: float = 0.0) -> None:
    """Refuse numbers that no schedule takes.

    Raises:
        ValueError: names the option.
    """
    if not warmup_steps >= 0:
        raise ValueError(f"warmup_steps must be at least 0, got {warmup_steps}")
    if not 0 <= final <= 1:
        raise ValueError(f"final, a share of the peak rate, must lie in [0, 1], got {final}")


def _warmup(step: int, warmup_steps: int) -> float:
    return min(1.0, (step + 1) / warmup_steps) if warmup_steps > 0 else 1.0


@configurable("schedule")
def constant(optimizer: Optimizer, total_steps: int, warmup_steps: int) -> LRScheduler:
    """Linear warm-up over `warmup_steps`, then 1."""
    _check(warmup_steps)
    return LambdaLR(optimizer, lambda step: _warmup(step, warmup_steps))


@configurable("schedule")
def linear(optimizer: Optimizer, total_steps: int, warmup_steps: int, final: float) -> LRScheduler:
    """Linear warm-up, then linearly to `final` at `total_steps`."""
    _check(warmup_steps, final)
    falling = max(1, total_steps - warmup_steps)

    def factor(step: int) -> float:
        done = min(1.0, max(0.0, (step - warmup_steps) / falling))
        return _warmup(step, warmup_steps) * (1.0 - (1.0 - final) * done)

    return LambdaLR(optimizer, factor)


@configurable("schedule")
def exponential(
    optimizer: Optimizer, total_steps: int, warmup_steps: int, hold_until: int, decay_until: int, final: float
) -> LRScheduler:
    """Warm-up, hold, then geometrically to `final` at `decay_until` (Park et al. 2019, §4.2).

    Raises:
        ValueError: the three steps are not in order.
    """
    _check(warmup_steps, final)
    if not warmup_steps <= hold_until < decay_until:
        raise ValueError(
            f"warmup_steps <= hold_until < decay_until is needed, got {warmup_steps}, {hold_until}, {decay_until}"
        )

    def factor(step: int) -> float:
        done = min(1.0, max(0.0, (step - hold_until) / (decay_until - hold_until)))
        return float(_warmup(step, warmup_steps) * final**done)

    return LambdaLR(optimizer, factor)


@configurable("schedule")
def inverse_sqrt(optimizer: Optimizer, total_steps: int, warmup_steps: int) -> LRScheduler:
    """Linear warm-up, then √(warmup_steps / step) (Vaswani et al. 2017, §5.3, with peak 1)."""
    _check(warmup_steps)
    start = max(1, warmup_steps)
    return LambdaLR(optimizer, lambda step: min(_warmup(step, start), (start / (step + 1)) ** 0.5))


class Plateau(LambdaLR):
    """Warm-up, then × `factor` whenever the dev error rate has not fallen for `patience` validations in a row."""

    def __init__(
        self, optimizer: Optimizer, total_steps: int, warmup_steps: int, factor: float, patience: int, final: float
    ) -> None:
        _check(warmup_steps, final)
        if not 0 < factor <= 1:
            raise ValueError(f"factor, by which the rate is multiplied, must lie in (0, 1], got {factor}")
        if not patience >= 0:
            raise ValueError(f"patience must be at least 0 validations, got {patience}")
        self.factor, self.patience, self.final = factor, patience, final
        self.best, self.waited, self.scale = float("inf"), 0, 1.0
        super().__init__(optimizer, lambda step: _warmup(step, warmup_steps) * self.scale)

    def observe(self, error_rate: float) -> None:
        """Take note of a validation."""
        if error_rate < self.best:
            self.best, self.waited = error_rate, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.scale, self.waited = max(self.final, self.scale * self.factor), 0
