"""The optimizer and its schedule, made once before anything is prepared: what they refuse is said then."""

from __future__ import annotations

from typing import Final

import torch

from lasasr.configuration.settings import Settings
from lasasr.errors import UsageError
from lasasr.models import factory

MANY_STEPS: Final = 100_000  # of a run whose epochs end it: how many there are is known when it is prepared


def check_rate(settings: Settings) -> None:
    """Refuse what the optimizer or its schedule refuses, and a rate at which all weights stay as they are.

    Raises:
        UsageError: names the option.
    """
    optimizer = factory.build(settings.optimizer, "optimizer", params=[torch.nn.Parameter(torch.zeros(2, 2))])
    if settings.optimizer.get("lr") == 0:
        raise UsageError("optimizer.lr must be above 0, got 0: no weight would change")
    steps = settings.trainer.get("max_steps")
    total = steps if isinstance(steps, int) and steps > 0 else MANY_STEPS
    factory.build(settings.schedule, "schedule", optimizer=optimizer, total_steps=total)
