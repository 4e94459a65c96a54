"""The loss of a validation: the recipe's own, teacher-forced, over the whole split."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lasasr.distributed import exchange
from lasasr.losses.base import Terms

TOTAL = "loss"


class DevLoss:
    """Adds up the terms of the batches of all ranks, and divides once, as an update does.

    They are read when the validation ends: a batch waits for no device.
    """

    def __init__(self) -> None:
        self._sums: dict[str, list[Tensor]] = {}  # of this rank, by batch
        self._divisors: list[Tensor] = []

    def add(self, terms: Terms) -> None:
        """One batch of this rank."""
        # no slash: MLflow keeps a value as a file, and `loss` could not be a folder too
        parts = {f"{TOTAL}_{name}": value for name, value in terms.sums.items()}
        for name, value in {TOTAL: terms.total, **parts}.items():
            self._sums.setdefault(name, []).append(value.detach())
        self._divisors.append(terms.divisor)

    def share(self) -> tuple[dict[str, float], float]:
        """The sums and the divisor of this rank."""
        return {name: _total(values) for name, values in self._sums.items()}, _total(self._divisors)

    def means(self) -> dict[str, float]:
        """`loss`, and `loss_<part>` of each named part; called on all ranks."""
        ranks = exchange.gathered(self.share())
        names = dict.fromkeys(name for sums, _ in ranks for name in sums)
        divisor = math.fsum(share for _, share in ranks)
        return {name: math.fsum(sums.get(name, 0.0) for sums, _ in ranks) / divisor for name in names}


def _total(values: list[Tensor]) -> float:
    """The sum, in double precision."""
    return math.fsum(torch.stack(values).tolist()) if values else 0.0
