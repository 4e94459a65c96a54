"""Updates: how many there are, what goes into one, and what more ranks would change."""

from __future__ import annotations

from typing import Any

import torch

from lasasr.configuration.settings import Settings
from lasasr.data.sampler import BucketBatches
from lasasr.doctor.batches import Batches
from lasasr.doctor.finding import Finding, overall
from lasasr.remaining import duration


def ranks(settings: Settings) -> int:
    """Processes of a run: devices of all nodes."""
    devices = settings.trainer["devices"]
    if isinstance(devices, list | tuple):
        each = len(devices)
    elif str(devices) in ("auto", "-1"):
        each = max(1, torch.cuda.device_count()) if settings.trainer["accelerator"] != "cpu" else 1
    else:
        each = int(devices)
    return each * int(settings.trainer["num_nodes"])


def total(plan: BucketBatches, settings: Settings) -> int | None:
    """Updates of the whole run; None if only time or early stopping ends it."""
    trainer = settings.trainer
    share = trainer["limit_train_batches"]
    batches = int(len(plan) * share) if isinstance(share, float) else min(len(plan), share)
    per_epoch = max(1, -(-batches // trainer["accumulate_grad_batches"]))
    limits = [int(trainer["max_steps"])] if int(trainer["max_steps"]) > 0 else []
    if trainer["max_epochs"] is not None and int(trainer["max_epochs"]) > 0:
        limits.append(per_epoch * int(trainer["max_epochs"]))
    return min(limits) if limits else None


def advice(plan: BucketBatches, batches: Batches, settings: Settings, world_size: int) -> list[Finding]:
    """What an update consists of, and what would keep it so with other ranks."""
    accumulated = int(settings.trainer["accumulate_grad_batches"])
    steps, rate = total(plan, settings), settings.optimizer.get("lr")
    per_epoch, of_update_s = len(plan) // accumulated, batches.audio_s * accumulated * world_size
    summary = (
        f"{world_size} rank{'s' if world_size > 1 else ''} × {accumulated} accumulated: {duration(of_update_s)} of "
        f"audio per update, {per_epoch} update{'s' * (per_epoch != 1)} per epoch, {steps or 'any number of'} in all, "
        f"lr {rate}"
    )
    findings = [overall("updates", "note", f"{summary}; {_more_ranks(accumulated, rate)}")]
    warmup = settings.schedule.get("warmup_steps")
    if steps is not None and isinstance(warmup, int | float) and warmup >= steps:
        what = f"schedule.warmup_steps={warmup} is not over when training ends after {steps} updates"
        findings.append(
            overall("warm-up", "warning", f"{what}: the learning rate never reaches optimizer.lr; lower it")
        )
    return findings


def _more_ranks(accumulated: int, rate: Any) -> str:
    """The arithmetic of R times as many ranks.

    Adaptive optimizers: the square root (Malladi et al. 2022, §5); plain SGD would take R (Goyal et al. 2017, §2.1).
    """
    keep = "divide accumulate_grad_batches by R" if accumulated > 1 else "divide the batch by R"
    if not isinstance(rate, int | float):
        return f"R times the ranks: to keep the update, {keep}"
    scaled = f"lr × √R ({rate * 2**0.5:.2g} for 2, {rate * 2:.2g} for 4)"
    return f"R times the ranks: to keep the update, {keep}; else try {scaled}"
