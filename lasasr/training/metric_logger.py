"""What is logged while training: losses per token, learning rate, gradient norm, audio-seconds per second."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as pl
import torch

from lasasr.data.batch import Batch
from lasasr.distributed import exchange
from lasasr.losses.base import Terms
from lasasr.nn import host_mirror
from lasasr.training.module import Training


class MetricLogger(pl.Callback):
    """Collects sums between two log lines and logs their ratios: nats per target token, audio-seconds per second.

    All are those of all ranks, so that they are the same however many ranks and accumulated batches make an update.
    """

    def __init__(self, every_steps: int) -> None:
        self.every_steps, self.zero = every_steps, torch.zeros(())
        self._reset()
        self.infeasible: set[str] = set()  # ids whose labels do not fit their frames, of all ranks after `_share`
        self.unread: list[tuple[tuple[str, ...], torch.Tensor]] = []  # ids (B) and which of them, not looked at yet
        self.train_s = 0.0  # of the sessions before this one
        self.start = time.perf_counter()

    def _reset(self) -> None:
        self.sums: dict[str, torch.Tensor] = {}  # named sums of the loss, this rank's share
        self.count = torch.zeros((), dtype=torch.int64)  # what they are per (target tokens), of all ranks
        self.audio_s = 0.0
        self.since = time.perf_counter()

    @property
    def elapsed_s(self) -> float:
        """Seconds trained, of all sessions of the run."""
        return self.train_s + time.perf_counter() - self.start

    @property
    def state_key(self) -> str:
        """Under which checkpoints hold its state: as those of 0.1.0 do."""
        return "Meter"

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run goes on counting from; asked for on all ranks, as every checkpoint is."""
        self._share()
        return {"elapsed_s": self.elapsed_s, "infeasible": sorted(self.infeasible)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self.train_s, self.start = state_dict["elapsed_s"], time.perf_counter()
        self.infeasible = set(state_dict["infeasible"])

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A validation has passed in between: its time is not training's."""
        self._reset()

    on_validation_end = on_train_epoch_start

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Add this batch; log every so many updates."""
        assert isinstance(pl_module, Training)
        terms: Terms = outputs["terms"]
        for name, value in {"loss": terms.total.detach(), **terms.sums}.items():
            self.sums[name] = self.sums.get(name, self.zero) + value
        self.count = self.count + outputs["divisor"]
        self.audio_s += (
            float(host_mirror.on_host(batch.waveform_lengths).sum()) / pl_module.recognizer.frontend.sample_rate_hz
        )
        if terms.infeasible is not None:
            self.unread.append((batch.ids, host_mirror.on_host(terms.infeasible)))
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if stepped and trainer.global_step % self.every_steps == 0:
            self._log(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """For the card."""
        self._share()

    def _share(self) -> None:
        """Every rank learns which utterances were infeasible on the others; to be called on all of them."""
        unread, self.unread = self.unread, []
        for ids, infeasible in unread:
            self.infeasible.update(
                utterance_id for utterance_id, bad in zip(ids, infeasible.tolist(), strict=True) if bad
            )
        self.infeasible = set().union(*exchange.gathered(self.infeasible))

    def _log(self, trainer: pl.Trainer, module: Training) -> None:
        elapsed = max(1e-9, time.perf_counter() - self.since)
        here = torch.stack([value.float() for value in self.sums.values()])
        summed = module.over_ranks(torch.cat((here, here.new_full((1,), self.audio_s))))
        *sums, audio_s, count = torch.cat((summed, self.count[None].to(summed))).tolist()  # the one read, one wait
        for name, value in zip(self.sums, sums, strict=True):
            module.log_scalar(f"train/{name}", value / count, prog_bar=name == "loss")
        module.log_scalar("train/audio_s_per_s", audio_s / elapsed, prog_bar=True)
        module.log_scalar("train/learning_rate", float(module.optimizers().param_groups[0]["lr"]))  # type: ignore[union-attr]
        module.log_scalar("train/gradient_norm", module.gradient_norm)
        self._share()
        if self.infeasible:
            module.log_scalar("train/infeasible_utterances", float(len(self.infeasible)))
        self._reset()
