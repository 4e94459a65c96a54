"""The processes of a `torchrun`, where each does a share of work that was divided beforehand."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch.distributed as dist

from lasasr.distributed import exchange

T = TypeVar("T")
PATIENCE = timedelta(days=1)  # for the slowest rank


@dataclass(frozen=True)
class Ranks:
    """Rank `rank` of `world`; by default alone."""

    rank: int = 0
    world: int = 1

    @classmethod
    def from_torchrun(cls) -> Ranks:
        """As the environment says; several meet over gloo, since they exchange results, not gradients."""
        ranks = cls(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))
        if ranks.world > 1 and not dist.is_initialized():
            dist.init_process_group("gloo", timeout=PATIENCE)
        return ranks

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes and prints."""
        return self.rank == 0

    def device(self, device: str) -> str:
        """The device of this rank: "cuda" is the GPU of its number on the machine (LOCAL_RANK)."""
        local_rank = os.environ.get("LOCAL_RANK", "0")
        return f"cuda:{local_rank}" if device == "cuda" and self.world > 1 else device

    def in_turn(self, work: Callable[[], T]) -> T:
        """What `work` returns, done by the first rank before the others, which find its files."""
        if not self.first:
            dist.barrier()
            return work()
        result = work()
        if self.world > 1:
            dist.barrier()
        return result

    def gather(self, share: T) -> list[T]:
        """The shares of all ranks, in the order of the ranks, on every rank.

        One that is alone asks nobody: after training the first rank works, while the others have left.
        """
        return [share] if self.world == 1 else exchange.gathered(share)

    def leave(self) -> None:
        """Part, when all is done."""
        if self.world > 1:
            dist.destroy_process_group()
