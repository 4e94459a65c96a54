"""What a person sees and TensorBoard keeps while a language model is trained."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as pl
import torch

from lasasr.data.batch import Batch
from lasasr.nn import host_mirror
from lasasr.training.lm_module import LMTraining


class LMMetricLogger(pl.Callback):
    """Logs nats per token, tokens per second, learning rate and gradient norm between two log lines; of all ranks."""

    def __init__(self, every_steps: int) -> None:
        self.every_steps = every_steps
        self.train_s = 0.0  # of the sessions before this one
        self.start = time.perf_counter()
        self._reset()

    def _reset(self) -> None:
        self.nats, self.tokens = torch.zeros((), dtype=torch.float64), 0  # of this rank
        self.since = time.perf_counter()

    @property
    def elapsed_s(self) -> float:
        """Seconds trained, of all sessions of the run."""
        return self.train_s + time.perf_counter() - self.start

    @property
    def state_key(self) -> str:
        """Under which checkpoints hold its state: as those of 0.1.0 do."""
        return "LMMeter"

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run goes on counting from."""
        return {"elapsed_s": self.elapsed_s}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self.train_s, self.start = state_dict["elapsed_s"], time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Its time is not training's."""
        self._reset()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Add this batch; log every so many updates."""
        assert isinstance(pl_module, LMTraining)
        self.nats = self.nats + outputs["nats"].double()
        self.tokens += int(host_mirror.on_host(batch.token_lengths).sum()) + len(batch.ids)
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if stepped and trainer.global_step % self.every_steps == 0:
            here = torch.stack((self.nats, self.nats.new_full((), self.tokens)))
            nats, tokens = pl_module.over_ranks(here).tolist()
            pl_module.log_scalar("train/loss", nats / tokens, prog_bar=True)
            elapsed = max(1e-9, time.perf_counter() - self.since)
            pl_module.log_scalar("train/tokens_per_s", tokens / elapsed, prog_bar=True)
            pl_module.log_scalar("train/learning_rate", float(pl_module.optimizers().param_groups[0]["lr"]))  # type: ignore[union-attr]
            pl_module.log_scalar("train/gradient_norm", pl_module.gradient_norm)
            self._reset()
