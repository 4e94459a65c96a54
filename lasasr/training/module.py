"""The LightningModule: a step reads like the equation, bookkeeping lives in callbacks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from lasasr.audio.specaugment import SpecAugment
from lasasr.data.batch import Batch
from lasasr.errors import LasasrError
from lasasr.evaluation import Outcome, outcomes
from lasasr.loss import JointLoss, Losses, TargetTokens, target_tokens
from lasasr.metrics.error_rates import pooled
from lasasr.recognizer import Recognizer
from lasasr.training.schedules import Plateau


class Training(pl.LightningModule):
    """Trains a recognizer by the joint CTC-attention loss.

    The loss of a batch is a *sum* over target tokens. Gradients are divided by the number of target tokens of all
    batches of all ranks that went into an update (`configure_gradient_clipping`), so that one rank with accumulation 2
    makes the update that two ranks make.

    Args:
        recognizer: what is trained; its search is used in validation.
        specaugment: applied to training features, or None.
        optimizer: params=... → optimizer.
        schedule: optimizer=..., total_steps=... → learning-rate schedule per update.
        sampling: step → probability of scheduled sampling.
        seed: of the run.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        loss: JointLoss,
        specaugment: SpecAugment | None,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[..., Any],
        sampling: Callable[[int], float],
        seed: int,
    ) -> None:
        super().__init__()
        self.recognizer, self.loss, self.specaugment = recognizer, loss, specaugment
        self.make_optimizer, self.make_schedule, self.sampling = optimizer, schedule, sampling
        self.seed = seed
        self.tokens_in_update = torch.zeros(())  # target tokens of the batches accumulated so far, all ranks
        self.gradient_norm = float("nan")
        self.outcomes: list[Outcome] = []  # of the validation under way

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Let dropout and sampling draw by (seed, epoch, batch), not by the past: a resumed run draws the same."""
        digest = hashlib.sha256(f"{self.seed}/{batch.epoch}/{batch.ids}".encode()).digest()
        torch.manual_seed(int.from_bytes(digest[:7], "little"))

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """(1 - w) · attention cross-entropy + w · CTC, times the target tokens it was divided by."""
        features, frames = self.recognizer.frontend(batch.waveforms, batch.waveform_lengths)
        if self.specaugment is not None:
            features = self.specaugment(features, frames, self.global_step, batch.epoch, batch.ids)
        logits, _, ctc_log_probs, encoded_lengths = self.recognizer.model(
            features, frames, batch.tokens, batch.token_lengths, self.sampling(self.global_step)
        )
        targets = batch.tokens, batch.token_lengths
        totals = self.over_ranks(target_tokens(*targets, encoded_lengths))
        losses = self.loss(logits, ctc_log_probs, encoded_lengths, *targets, self.global_step, totals)
        self.refuse_non_finite(losses, batch)
        self.tokens_in_update += totals.attention
        return {"loss": losses.total * totals.attention * self.trainer.accumulate_grad_batches, "losses": losses}

    def over_ranks(self, tokens: TargetTokens) -> TargetTokens:
        """Summed over the ranks."""
        if self.trainer.world_size == 1:
            return tokens
        summed = self.trainer.strategy.reduce(torch.stack(tokens), reduce_op="sum")
        assert isinstance(summed, Tensor)
        return TargetTokens(*summed.unbind())

    def refuse_non_finite(self, losses: Losses, batch: Batch) -> None:
        """Stop at once on NaN or infinity: training on would ruin the weights.

        Raises:
            LasasrError: names the utterances.
        """
        parts = [part for part in (losses.attention_of, losses.ctc_of) if part is not None]
        finite = torch.stack(parts).isfinite().all(0)
        if bool(finite.all()):
            return
        bad = [one for one, good in zip(batch.ids, finite.tolist(), strict=True) if not good]
        raise LasasrError(
            f"the loss is not finite at step {self.global_step} for {', '.join(bad[:5])}"
            f"{f' and {len(bad) - 5} more' if len(bad) > 5 else ''}; lower optimizer.lr or look at these utterances"
        )

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Divide the summed gradients by the target tokens of all ranks, then clip by norm."""
        scale = self.trainer.world_size / self.tokens_in_update  # DDP has taken the mean over ranks: undo
        self.tokens_in_update = torch.zeros_like(self.tokens_in_update)
        parameters = [p for p in self.parameters() if p.grad is not None]
        torch._foreach_mul_([p.grad for p in parameters if p.grad is not None], scale)
        limit = gradient_clip_val if gradient_clip_val else float("inf")
        self.gradient_norm = float(torch.nn.utils.clip_grad_norm_(parameters, limit))

    def on_validation_epoch_start(self) -> None:
        """A fresh sheet."""
        self.outcomes = []

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Decode for real."""
        self.outcomes.extend(outcomes(self.recognizer, batch))

    def on_validation_epoch_end(self) -> None:
        """Error rates over the whole split, every utterance once whatever the number of ranks."""
        gathered: list[list[Outcome]] = [self.outcomes]
        if self.trainer.world_size > 1:
            gathered = [[] for _ in range(self.trainer.world_size)]
            torch.distributed.all_gather_object(gathered, self.outcomes)
        self.outcomes = list({one.id: one for part in gathered for one in part}.values())
        rate = pooled(one.counts for one in self.outcomes).percent
        self.log(f"dev/{self.recognizer.error_metric}", rate, prog_bar=True, rank_zero_only=True)
        self.log("dev/cer", pooled(one.characters for one in self.outcomes).percent, rank_zero_only=True)

    def configure_optimizers(self) -> Any:
        """Optimizer and its schedule per update."""
        optimizer = self.make_optimizer(params=[p for p in self.parameters() if p.requires_grad])
        schedule = self.make_schedule(optimizer=optimizer, total_steps=int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_validation_end(self) -> None:
        """Tell a plateau schedule what dev said."""
        schedule = self.lr_schedulers()
        if isinstance(schedule, Plateau) and not self.trainer.sanity_checking:
            schedule.observe(float(self.trainer.callback_metrics[f"dev/{self.recognizer.error_metric}"]))
