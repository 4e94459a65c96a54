"""The LightningModule: a step reads like the equation, bookkeeping lives in callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer

from lasasr.audio.specaugment import SpecAugment
from lasasr.data.batch import Batch
from lasasr.distributed import exchange
from lasasr.evaluation.outcome import Outcome, outcomes
from lasasr.evaluation.summary import alignment
from lasasr.losses.base import Loss
from lasasr.metrics.error_rates import pooled
from lasasr.models.recognizer import Recognizer
from lasasr.training.dev_loss import DevLoss
from lasasr.training.step import RecognizerStep
from lasasr.training.token_normalized import TokenNormalizedModule


class Training(TokenNormalizedModule):
    """Trains a recognizer by its loss.

    Args:
        recognizer: what is trained; its search is used in validation.
        loss: what training minimises; joint CTC-attention in the recipes.
        specaugment: applied to training features, or None.
        optimizer: params=... → optimizer.
        schedule: optimizer=..., total_steps=... → learning-rate schedule per update.
        sampling: step → probability of scheduled sampling.
        seed: of the run.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        loss: Loss,
        specaugment: SpecAugment | None,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[..., Any],
        sampling: Callable[[int], float],
        seed: int,
    ) -> None:
        super().__init__(optimizer, schedule, seed)
        self.recognizer, self.loss, self.specaugment, self.sampling = recognizer, loss, specaugment, sampling
        self.outcomes: list[Outcome] = []  # of the validation under way
        self.dev_loss = DevLoss()

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """The loss, summed over the batch: an update divides by the counts of all that goes into it."""
        features, frames = self.recognizer.encoder_input(batch.waveforms, batch.waveform_lengths, batch.kept)
        if self.specaugment is not None:
            features = self.specaugment(features, frames, self.global_step, batch.epoch, batch.ids)
        step = RecognizerStep(
            self.recognizer, batch, features, frames, self.global_step, self.sampling(self.global_step)
        )
        terms = self.loss.terms(step)
        count = self.over_ranks(terms.divisor)
        self.seen.append((batch, terms.of_utterance.isfinite()))
        self.tokens_in_update = self.tokens_in_update + count  # not in place: it begins on the CPU
        return {
            "loss": terms.total * self.trainer.accumulate_grad_batches,
            "terms": terms,
            "divisor": count,
            **_watched(step),
        }

    def on_validation_epoch_start(self) -> None:
        """A fresh sheet."""
        self.outcomes, self.dev_loss = [], DevLoss()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """The loss, teacher-forced; and decode for real what was encoded for it."""
        features, frames = self.recognizer.encoder_input(batch.waveforms, batch.waveform_lengths, batch.kept)
        step = RecognizerStep(self.recognizer, batch, features, frames, self.global_step)
        self.dev_loss.add(self.loss.terms(step))
        self.outcomes.extend(outcomes(self.recognizer, batch, acoustics=step.acoustics))

    def on_validation_epoch_end(self) -> None:
        """Error rates over the whole split, every utterance once whatever the number of ranks."""
        shares = exchange.gathered(self.outcomes)
        self.outcomes = list({outcome.id: outcome for share in shares for outcome in share}.values())
        rate = pooled(outcome.counts for outcome in self.outcomes).percent
        self.log(f"dev/{self.recognizer.error_metric}", rate, prog_bar=True, rank_zero_only=True)
        self.log("dev/cer", pooled(outcome.characters for outcome in self.outcomes).percent, rank_zero_only=True)
        for name, value in (alignment(self.outcomes) or {}).items():
            self.log(f"dev/alignment/{name}", float(value), rank_zero_only=True)
        for name, value in self.dev_loss.means().items():
            self.log(f"dev/{name}", value, rank_zero_only=True)
        self.observe(rate)


def _watched(step: RecognizerStep) -> dict[str, Any]:
    """What callbacks look at."""
    return {"weights": step.computed_weights, "encoded_lengths": step.encoded_lengths}
