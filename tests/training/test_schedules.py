"""Learning rates against their definitions."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from lasasr.training import schedules


def rates(make: object, steps: int, **options: float) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = make(optimizer, total_steps=steps, **options)  # type: ignore[operator]
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


def test_linear_rises_to_the_peak_and_ends_near_its_final_share() -> None:
    seen = rates(schedules.linear, 100, warmup_steps=10, final=0.1)
    assert seen[:10] == pytest.approx([2.0 * (i + 1) / 10 for i in range(10)])
    assert max(seen) == pytest.approx(2.0)
    falls = [a - b for a, b in itertools.pairwise(seen[11:])]
    assert falls == pytest.approx([2.0 * 0.9 / 90] * len(falls))
    assert seen[-1] == pytest.approx(0.2, abs=0.03)


def test_exponential_holds_then_falls_by_a_constant_factor() -> None:
    seen = rates(schedules.exponential, 40, warmup_steps=4, hold_until=10, decay_until=30, final=0.01)
    assert seen[4:10] == pytest.approx([2.0] * 6)
    ratios = [b / a for a, b in itertools.pairwise(seen[10:30])]
    assert ratios == pytest.approx([0.01 ** (1 / 20)] * len(ratios))
    assert seen[30:] == pytest.approx([0.02] * 10)
    with pytest.raises(ValueError, match="hold_until"):
        rates(schedules.exponential, 40, warmup_steps=20, hold_until=10, decay_until=30, final=0.01)


def test_inverse_sqrt_peaks_at_the_end_of_the_warmup() -> None:
    seen = rates(schedules.inverse_sqrt, 64, warmup_steps=16)
    assert seen.index(max(seen)) == 15
    assert seen[63] == pytest.approx(2.0 * (16 / 64) ** 0.5)


def test_plateau_falls_after_patience_and_survives_a_checkpoint() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    options = {"warmup_steps": 0, "factor": 0.5, "patience": 1, "final": 0.2}
    schedule = schedules.Plateau(optimizer, total_steps=9, **options)
    for error_rate in (50.0, 40.0, 41.0):
        schedule.observe(error_rate)
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 2.0
    schedule.observe(42.0)
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 1.0
    restored = schedules.Plateau(optimizer, total_steps=9, **options)
    restored.load_state_dict(schedule.state_dict())
    for _ in range(20):
        restored.observe(60.0)
    restored.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.4)
