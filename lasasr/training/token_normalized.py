"""How an update is made, whatever is trained: what it draws by, what normalises it, what follows it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from lasasr.data.batch import Batch
from lasasr.training.non_finite_guard import NonFiniteGuard, Seen
from lasasr.training.parameter_groups import PartRates, trained_parameters, warm_up
from lasasr.training.schedules import Plateau


class TokenNormalizedModule(pl.LightningModule):
    """A module whose loss of a batch is a *sum* over target tokens.

    Gradients are divided by the number of target tokens of all batches of all ranks that went into an update
    (`configure_gradient_clipping`), so that one rank with accumulation 2 makes the update that two ranks make. A
    training step adds its target tokens, of all ranks, to `tokens_in_update`, and multiplies its sum by the number of
    accumulated batches, by which Lightning divides. It also adds the batch and its finite losses to `seen`: an update
    with a gradient that is not finite is not made (`NonFiniteGuard`).

    Args:
        optimizer: params=... → optimizer.
        schedule: optimizer=..., total_steps=... → learning-rate schedule per update.
        seed: of the run.
    """

    def __init__(self, optimizer: Callable[..., Optimizer], schedule: Callable[..., Any], seed: int) -> None:
        super().__init__()
        self.make_optimizer, self.make_schedule, self.seed = optimizer, schedule, seed
        self.tokens_in_update = torch.zeros(())  # target tokens of the batches accumulated so far, all ranks
        self.gradient_norm = float("nan")
        self.seen: list[Seen] = []  # of the batches accumulated so far
        self.guard = NonFiniteGuard()
        self.rates: PartRates | None = None  # of an adaptation

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Let dropout and sampling draw by (seed, epoch, batch), not by the past: a resumed run draws the same."""
        digest = hashlib.sha256(f"{self.seed}/{batch.epoch}/{batch.ids}".encode()).digest()
        torch.manual_seed(int.from_bytes(digest[:7], "little"))

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Divide the summed gradients by the target tokens of all ranks, then clip by norm.

        Raises:
            DivergenceError: they are not finite, as those of the updates before this one.
        """
        scale = self.trainer.world_size / self.tokens_in_update  # DDP has taken the mean over ranks: undo
        self.tokens_in_update = torch.zeros_like(self.tokens_in_update)
        parameters = [p for p in self.parameters() if p.grad is not None]
        torch._foreach_mul_([p.grad for p in parameters if p.grad is not None], scale)
        limit = gradient_clip_val if gradient_clip_val else float("inf")
        self.gradient_norm = float(torch.nn.utils.clip_grad_norm_(parameters, limit))
        seen, self.seen = self.seen, []
        if math.isfinite(self.gradient_norm):
            self.guard.accept()
        elif not self._only_scaled_too_high(seen):
            self.guard.refuse(self.trainer, seen)
            optimizer.zero_grad()  # to None: the optimizer has nothing to do

    def _only_scaled_too_high(self, seen: list[Seen]) -> bool:
        """Whether half precision's scale has to come down, which it does by itself."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if scaler is None:
            return False
        finite = torch.stack([finite.all() for _, finite in seen]).all().float()
        return float(self.over_ranks(finite)) == self.trainer.world_size

    def configure_optimizers(self) -> Any:
        """Optimizer and its schedule per update."""
        optimizer = self.make_optimizer(params=trained_parameters(self, self.rates))
        schedule = self.make_schedule(optimizer=optimizer, total_steps=int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": warm_up(schedule), "interval": "step"}}

    def log_scalar(self, name: str, value: float, prog_bar: bool = False, rank_zero_only: bool = False) -> None:
        """Log a number that the host knows: as a tensor on the CPU, because Lightning puts others on the device."""
        scalar = torch.tensor(value, dtype=torch.float32)
        self.log(name, scalar, prog_bar=prog_bar, rank_zero_only=rank_zero_only)

    def over_ranks(self, value: Tensor) -> Tensor:
        """Summed over the ranks."""
        if self.trainer.world_size == 1:
            return value
        summed = self.trainer.strategy.reduce(value, reduce_op="sum")
        assert isinstance(summed, Tensor)
        return summed

    def observe(self, dev_value: float) -> None:
        """Give a plateau schedule what dev said; before any checkpoint that a validation leads to."""
        schedule = self.lr_schedulers()
        if isinstance(schedule, Plateau) and not self.trainer.sanity_checking:
            schedule.observe(dev_value)
