"""Watches attention find its alignment, notes when it has, and says why it may not."""

from __future__ import annotations

import sys
from dataclasses import asdict
from operator import getitem
from typing import Any

import lightning.pytorch as pl
from torch import nn

from lasasr.data.batch import Batch
from lasasr.errors import UsageError
from lasasr.nn import host_mirror
from lasasr.training.causes import Seen, Setting, likely_causes
from lasasr.training.diagonal import read_along
from lasasr.training.loggers import media
from lasasr.training.module import Training

UTTERANCES = 8  # of a batch that a look measures
WINDOW = 24  # measured utterances that the share is of: three looks
ALIGNED = 0.5  # of them read along
EARLIEST, LATEST = 300, 10_000  # updates; the alarm's own choice lies between
NOTHING_TO_ALIGN = "there is no attention that learns to align"
WALKS = "hard steps move along the diagonal before anything is learnt"


class AlignmentWatch(pl.Callback):
    """Every `look_every` updates measures a few utterances of the training batch, as teacher-forced (`diagonal.py`).

    *Aligned* is attention from the first update on at which half of the last `WINDOW` measured utterances are read
    along. That share stands in TensorBoard as `train/aligned` and in the bar. Every rank looks at its own batches; what
    is told is what rank 0 saw. The alarm is given once; of a run that ends before it, a note says that attention is not
    aligned. Attention without parameters (`none`) and CTC alone are not watched. Of attention with `moves_diagonally`
    (hard steps) it is not told when it aligned, only if it has not.

    Args:
        look_every: updates from one look to the next.
        alarm_step: updates after which attention that is not aligned is reported; None: half of all updates, at least
            `EARLIEST` and at most `LATEST`; 0: never.

    Raises:
        UsageError: a number outside its range.
    """

    def __init__(self, look_every: int = 10, alarm_step: int | None = None) -> None:
        if look_every < 1:
            raise UsageError(f"alignment.look_every must be ≥ 1, got {look_every}")
        if alarm_step is not None and not (isinstance(alarm_step, int) and alarm_step >= 0):
            raise UsageError(f"alignment.alarm_step must be a whole number ≥ 0 or null, got {alarm_step}")
        self.look_every, self.alarm_step = look_every, alarm_step
        self.aligned_at_step: int | None = None
        self.unknown: str | None = None  # why no step can be told at which attention aligned
        self.alarm: str | None = None  # what was said
        self.recent: list[bool] = []  # the last WINDOW measured utterances: read along?
        self.seen = Seen()

    def state_dict(self) -> dict[str, Any]:
        """Plain values, from which a resumed run watches on."""
        noted = {"aligned_at_step": self.aligned_at_step, "alarm": self.alarm, "recent": list(self.recent)}
        return noted | {"seen": asdict(self.seen)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Watch on."""
        self.aligned_at_step, self.alarm = state_dict["aligned_at_step"], state_dict["alarm"]
        self.recent, self.seen = list(state_dict["recent"]), Seen(**state_dict["seen"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """What kind of attention is it?"""
        assert isinstance(pl_module, Training)
        attention = _attention(pl_module)
        if attention is None or not any(True for _ in attention.parameters()):
            self.unknown = NOTHING_TO_ALIGN
        elif getattr(attention, "moves_diagonally", False):
            self.unknown = WALKS

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Look, if it is time to."""
        assert isinstance(pl_module, Training)
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if not stepped or trainer.global_step % self.look_every or self.unknown == NOTHING_TO_ALIGN:
            return
        if outputs["weights"] is None:  # the loss does not read the decoder
            return
        weights, frames = outputs["weights"][:UTTERANCES], outputs["encoded_lengths"][:UTTERANCES]
        tokens = host_mirror.mirrored(getitem)(batch.token_lengths, slice(UTTERANCES))
        self.recent += read_along(weights, frames, tokens).tolist()
        self.recent = self.recent[-WINDOW:]
        pl_module.log_scalar("train/aligned", self.share, prog_bar=True, rank_zero_only=True)
        if self.aligned_at_step is None:
            self._judge(trainer, pl_module, outputs, batch)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say it of attention that is not aligned when training ends before the alarm could be given."""
        settled = self.unknown is not None or self.aligned_at_step is not None or self.alarm is not None
        if settled or not self.recent or self.alarm_step == 0 or trainer.global_step >= self._alarm_at(trainer):
            return
        _print_from_first_rank(
            trainer,
            f"note: attention is not aligned after all {trainer.global_step} updates ({self.share:.0%} of the "
            "utterances are read along); look at the maps in plots/, and train for more updates",
        )

    @property
    def share(self) -> float:
        """Of the last `WINDOW` measured utterances, the share that is read along."""
        return sum(self.recent) / max(1, len(self.recent))

    def _judge(self, trainer: pl.Trainer, module: Training, outputs: Any, batch: Batch) -> None:
        """Aligned now, or to be reported?"""
        enough = len(self.recent) == WINDOW
        if enough and self.share >= ALIGNED:
            if self.unknown is None:
                self.aligned_at_step = trainer.global_step
                _print_from_first_rank(trainer, f"attention is aligned from step {trainer.global_step} on")
        elif self.alarm is None:
            self._count(trainer, module, outputs, batch)
            setting = _setting(trainer, module)
            self.seen.highest_rate = max(self.seen.highest_rate, setting.learning_rate)
            if enough and trainer.global_step >= self._alarm_at(trainer):
                causes = "; also: ".join(likely_causes(self.seen, setting))
                message = f"attention is not aligned by step {trainer.global_step} ({self.share:.0%} of the utterances"
                self.alarm = f"{message} are read along); likely cause: {causes}"
                _print_from_first_rank(trainer, f"warning: {self.alarm}")

    def _alarm_at(self, trainer: pl.Trainer) -> float:
        if self.alarm_step is None:
            return min(LATEST, max(EARLIEST, 0.5 * trainer.estimated_stepping_batches))
        return self.alarm_step or float("inf")

    def _count(self, trainer: pl.Trainer, module: Training, outputs: Any, batch: Batch) -> None:
        """Facts about this batch, all of it."""
        terms, seen = outputs["terms"], self.seen
        seen.utterances += len(batch.ids)
        tokens = host_mirror.on_host(batch.token_lengths)
        seen.infeasible += 0 if terms.infeasible is None else int(host_mirror.on_host(terms.infeasible).sum())
        seen.tokens += int(tokens.sum())
        seen.frames += int(host_mirror.on_host(outputs["encoded_lengths"]).sum())
        seen.losses.append(float(terms.sums.get("attention", terms.total.detach())) / int((tokens + 1).sum()))
        seen.clipped += bool(trainer.gradient_clip_val and module.gradient_norm > trainer.gradient_clip_val)


def _attention(module: Training) -> nn.Module | None:
    """The decoder's, or a third party's decoder as a whole; None: CTC alone."""
    decoder = module.recognizer.model.decoder
    attention = getattr(decoder, "attention", decoder)
    assert attention is None or isinstance(attention, nn.Module)
    return attention


def _setting(trainer: pl.Trainer, module: Training) -> Setting:
    group = trainer.optimizers[0].param_groups[0]
    model = module.recognizer.model
    return Setting(
        ctc_weight=module.loss.ctc_share(trainer.global_step),
        learning_rate=float(group["lr"]),
        peak_rate=float(group.get("initial_lr", group["lr"])),
        subsampling_factor=model.encoder.subsampling_factor,
        of_token_frequencies=module.loss.plateau(),
    )


def _print_from_first_rank(trainer: pl.Trainer, line: str) -> None:
    """A line that stays, on the terminal and in the loggers that take texts."""
    if not trainer.is_global_zero:
        return
    for logger in media(trainer):
        logger.show_text("train/alignment", line, trainer.global_step)
    bar = trainer.progress_bar_callback
    if bar is not None:
        bar.print(line)
    else:
        sys.stderr.write(f"{line}\n")
