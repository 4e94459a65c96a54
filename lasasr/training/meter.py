"""What is logged while training: losses per token, learning rate, gradient norm, audio-seconds per second."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as pl
import torch

from lasasr.data.batch import Batch
from lasasr.loss import Losses
from lasasr.training.module import Training


class Meter(pl.Callback):
    """Collects sums between two log lines and logs their ratios; losses are means over batches of nats per token.

    Losses and audio are those of all ranks; a rank's own loss is its share of theirs.
    """

    def __init__(self, every_steps: int) -> None:
        self.every_steps = every_steps
        self._reset()
        self.infeasible: set[str] = set()  # ids whose labels do not fit their frames
        self.train_s = 0.0  # of the sessions before this one
        self.start = time.perf_counter()

    def _reset(self) -> None:
        self.sums: dict[str, torch.Tensor | float] = {}
        self.batches = 0
        self.audio_s = 0.0
        self.since = time.perf_counter()

    @property
    def elapsed_s(self) -> float:
        """Seconds trained, of all sessions of the run."""
        return self.train_s + time.perf_counter() - self.start

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run goes on counting from."""
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
        losses: Losses = outputs["losses"]
        for name in ("total", "attention", "ctc", "quantity"):
            value = getattr(losses, name)
            if value is not None:
                self.sums[name] = self.sums.get(name, 0.0) + value.detach()
        self.batches += 1
        self.audio_s += float(batch.waveform_lengths.sum()) / pl_module.recognizer.frontend.sample_rate_hz
        self._infeasible(losses, batch)
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if stepped and trainer.global_step % self.every_steps == 0:
            self._log(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The first rank learns which utterances were infeasible on the others."""
        if trainer.world_size > 1:
            gathered: list[set[str]] = [set() for _ in range(trainer.world_size)]
            torch.distributed.all_gather_object(gathered, self.infeasible)
            self.infeasible = set().union(*gathered)

    def _infeasible(self, losses: Losses, batch: Batch) -> None:
        if losses.ctc is not None:
            self.infeasible.update(one for one, bad in zip(batch.ids, losses.infeasible.tolist(), strict=True) if bad)

    def _log(self, trainer: pl.Trainer, module: Training) -> None:
        def over_ranks(value: torch.Tensor | float) -> float:
            here = torch.as_tensor(value, dtype=torch.float32, device=module.device)
            return float(trainer.strategy.reduce(here, reduce_op="sum"))

        elapsed = max(1e-9, time.perf_counter() - self.since)
        for name, total in self.sums.items():
            label = "loss" if name == "total" else name
            module.log(f"train/{label}", over_ranks(total) / self.batches, prog_bar=name == "total")
        module.log("train/audio_s_per_s", over_ranks(self.audio_s) / elapsed, prog_bar=True)
        module.log("train/learning_rate", float(module.optimizers().param_groups[0]["lr"]))  # type: ignore[union-attr]
        module.log("train/gradient_norm", module.gradient_norm)
        if self.infeasible:
            module.log("train/infeasible_utterances", float(len(self.infeasible)))
        self._reset()
