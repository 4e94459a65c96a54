"""Learning rates, update by update."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lasasr.training import schedules
from parity.check import Check, NotReproduced

PEAK, WARMUP, UPDATES = 0.5, 20, 200


def checks() -> list[Check | NotReproduced]:
    """The rate of each of 200 updates, peak 0.5."""
    decay = "only the decay is compared: its warm-up begins at 0, ours at 1 / warmup_steps"
    return [
        Check("`WarmupLR` = `schedule=inverse_sqrt`", "ESPnet", partial(_espnet, "WarmupLR", PEAK)),
        Check(
            "`NoamLR` = `schedule=inverse_sqrt`",
            "ESPnet",
            partial(_espnet, "NoamLR", PEAK * math.sqrt(WARMUP * 320)),
            "its rate is multiplied by √(warm-up · 320), because it divides by that",
        ),
        Check("`NoamScheduler` = `schedule=inverse_sqrt`", "SpeechBrain", _noam),
        Check("`WarmAndExpDecayLRSchedule` = `schedule=warmup_exponential`", "SpeechBrain", _exponential, decay),
        Check("`LinearWarmupScheduler` = `schedule=warmup_linear`", "SpeechBrain", _linear, decay),
        Check(
            "`ReduceLROnPlateau` = `schedule=plateau`",
            "torch",
            _plateau,
            "threshold 0; after each of 200 validations",
        ),
        NotReproduced(
            "`NewBobScheduler`",
            "SpeechBrain",
            "it compares with the last validation, not with the best; its threshold is relative",
        ),
    ]


def _optimizer(rate: float = PEAK) -> SGD:
    return SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def _rates(optimizer: SGD, scheduler: Any) -> list[float]:
    """Of torch's schedulers, ours and ESPnet's."""
    rates = []
    for _ in range(UPDATES):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates


def _ours(schedule: Callable[..., Any], **options: Any) -> list[float]:
    optimizer = _optimizer()
    return _rates(optimizer, schedule(optimizer, UPDATES, **options))


def _apart(ours: list[float], theirs: list[float]) -> float:
    return max(abs(left - right) for left, right in zip(ours, theirs, strict=True))


def _espnet(name: str, rate: float) -> float:
    from espnet2.schedulers import noam_lr, warmup_lr

    kind = {"WarmupLR": warmup_lr.WarmupLR, "NoamLR": noam_lr.NoamLR}[name]
    optimizer = _optimizer(rate)
    theirs = _rates(optimizer, kind(optimizer, warmup_steps=WARMUP))
    return _apart(_ours(schedules.inverse_sqrt, warmup_steps=WARMUP), theirs)


def _called(scheduler: Any) -> list[float]:
    """Of SpeechBrain's schedulers, which set the rate of the update that follows."""
    optimizer, rates = _optimizer(), []
    for _ in range(UPDATES):
        scheduler(optimizer)
        rates.append(float(optimizer.param_groups[0]["lr"]))
    return rates


def _noam() -> float:
    from speechbrain.nnet.schedulers import NoamScheduler

    return _apart(_ours(schedules.inverse_sqrt, warmup_steps=WARMUP), _called(NoamScheduler(PEAK, WARMUP)))


def _exponential() -> float:
    from speechbrain.nnet.schedulers import WarmAndExpDecayLRSchedule

    theirs = _called(WarmAndExpDecayLRSchedule(PEAK, 0, UPDATES, decay_factor=0.01))
    return _apart(_ours(schedules.exponential, warmup_steps=0, hold_until=0, decay_until=UPDATES, final=0.01), theirs)


def _linear() -> float:
    from speechbrain.nnet.schedulers import LinearWarmupScheduler

    scheduler = LinearWarmupScheduler(PEAK, 0, UPDATES)
    theirs = [scheduler.calculate_lr(update) for update in range(UPDATES)]
    return _apart(_ours(schedules.linear, warmup_steps=0, final=0.0), theirs)


def _plateau() -> float:
    optimizer = _optimizer()
    theirs = ReduceLROnPlateau(optimizer, factor=0.5, patience=2, threshold=0.0, min_lr=PEAK * 0.01)
    ours = schedules.Plateau(_optimizer(), UPDATES, warmup_steps=0, factor=0.5, patience=2, final=0.01)
    largest = 0.0
    for validation, error_rate in enumerate(torch.rand(UPDATES).tolist()):
        error_rate += 10.0 / (1 + validation)  # falls at first, then no more
        theirs.step(error_rate)
        ours.observe(error_rate)
        largest = max(largest, abs(PEAK * ours.scale - float(optimizer.param_groups[0]["lr"])))
    return largest
