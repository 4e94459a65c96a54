"""The same updates by one rank that accumulates two batches, or by one of two under torchrun."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import Logger
from torch.utils.data import DataLoader
from training_tiny import batch, trainer, training

from lasasr.data.batch import Batch
from lasasr.training.checkpoints import LAST
from lasasr.training.interrupt import Interrupt
from lasasr.training.metric_logger import MetricLogger
from lasasr.training.parallel import ddp

TOGETHER = ((6, 7, 2), (1,), (3,), (4, 5, 8), (2, 5, 7, 1), (3,))  # two batches an update, of unlike size
FOUND = "found.pt"
UNFIT = "utterance-5"  # in a batch of the second rank; its tokens are more than its frames


def batches() -> list[Batch]:
    """`TOGETHER`; in the fourth batch utterance 5 has no CTC path."""
    made = [batch(numbers) for numbers in TOGETHER]
    tokens = made[3].tokens.repeat(1, 40)
    made[3] = replace(made[3], tokens=tokens, token_lengths=torch.tensor([2, tokens.shape[1], 2]))
    return made


class Logged(Logger):
    """Keeps what is logged, by update."""

    name, version = "logged", 0

    def __init__(self) -> None:
        super().__init__()
        self.metrics: list[dict[str, float]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.metrics.append(metrics)

    def log_hyperparams(self, *given: Any, **named: Any) -> None:
        pass


def updates(folder: Path, rank: int = 0, ranks: int = 1) -> dict[str, Any]:
    """What is logged at each update, the weights after the last, and the utterances without a CTC path."""
    shared: dict[str, Any] = {"strategy": ddp(60.0), "devices": ranks} if ranks > 1 else {"accumulate_grad_batches": 2}
    meter, logged = MetricLogger(1), Logged()
    callbacks: list[pl.Callback] = [meter, Interrupt(folder / LAST, 0.0)]  # saved after every update
    fitter = trainer(folder, callbacks, max_epochs=1, log_every_n_steps=1, **shared)
    fitter.logger = logged
    module = training()
    loader: Any = DataLoader(batches()[rank::ranks], batch_size=None)  # type: ignore[arg-type]
    fitter.fit(module, loader)
    return {"metrics": logged.metrics, "weights": module.state_dict(), "infeasible": sorted(meter.infeasible)}


def main(folder: Path) -> None:
    """Save what the first of the ranks has found."""
    rank = int(os.environ["RANK"])
    found = updates(folder, rank, int(os.environ["WORLD_SIZE"]))
    if rank == 0:
        torch.save(found, folder / FOUND)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
