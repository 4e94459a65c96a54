"""Updates that are not made, because a loss or a gradient is NaN or infinite."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import lightning.pytorch as pl
import torch
from torch import Tensor

from lasasr.artifacts import files
from lasasr.data.batch import Batch
from lasasr.distributed import exchange
from lasasr.errors import DivergenceError

MOST_IN_A_ROW = 5  # a batch or two of nonsense are outlived; weights that have gone wrong are not
NAMED = 5  # utterances that a message names

Seen = tuple[Batch, Tensor]  # a batch, and which of its utterances (B,) have finite losses


class NonFiniteGuard:
    """Says whose losses were not finite, keeps their batches, and counts refusals in a row.

    The sum of gradients over the ranks holds the NaN of any of them, so that all ranks refuse the same updates without
    asking each other, and what is here is called on all or on none.
    """

    def __init__(self) -> None:
        self.in_a_row = 0

    def accept(self) -> None:
        """An update is made."""
        self.in_a_row = 0

    def refuse(self, trainer: pl.Trainer, seen: Sequence[Seen]) -> None:
        """An update is not made.

        Args:
            seen: the batches of this rank that would have gone into it.

        Raises:
            DivergenceError: it is the last of `MOST_IN_A_ROW`; names the utterances.
        """
        bad = [
            utterance_id
            for batch, finite in seen
            for utterance_id, good in zip(batch.ids, finite.tolist(), strict=True)
            if not good
        ]
        everywhere = [utterance_id for share in exchange.gathered(bad) for utterance_id in share]
        if bad or not everywhere:  # where losses are finite and gradients are not, no rank knows whose they are
            _keep(trainer, seen)
        self.in_a_row += 1
        what = f"the loss is not finite at step {trainer.global_step} for {_some(everywhere)}"
        if not everywhere:
            what = f"the losses are finite at step {trainer.global_step}, but the gradient is not"
        kept = _folder(trainer)
        if self.in_a_row >= MOST_IN_A_ROW:
            raise DivergenceError(
                f"{what}, and so {self.in_a_row} times in a row; lower optimizer.lr or look at these utterances "
                f"(their batches are in {kept})"
            )
        if trainer.is_global_zero:
            sys.stderr.write(f"warning: {what}; this update is left out (its batch is in {kept})\n")


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:NAMED]) + (f" and {len(ids) - NAMED} more" if len(ids) > NAMED else "")


def _folder(trainer: pl.Trainer) -> Path:
    return Path(trainer.default_root_dir) / "refused"


def _keep(trainer: pl.Trainer, seen: Sequence[Seen]) -> None:
    """Save the batches as plain values that `torch.load(..., weights_only=True)` reads."""
    plain = [{field.name: getattr(batch.to("cpu"), field.name) for field in fields(batch)} for batch, _ in seen]
    with files.replacing(_folder(trainer) / f"step-{trainer.global_step}-rank-{trainer.global_rank}.pt") as temporary:
        torch.save(plain, temporary)
