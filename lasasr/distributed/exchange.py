"""What ranks tell each other. Every function is called on all of them; a process alone answers for itself."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


def world_size() -> int:
    """Ranks that this process can exchange with, itself among them."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def gathered(share: T) -> list[T]:
    """The shares of all ranks, in the order of the ranks, on every rank."""
    if world_size() == 1:
        return [share]
    shares: list[Any] = [None] * world_size()
    dist.all_gather_object(shares, share)
    return shares


def largest(values: Tensor) -> Tensor:
    """The elementwise maximum over the ranks, which may be written into `values`."""
    if world_size() > 1:
        dist.all_reduce(values, dist.ReduceOp.MAX)
    return values


def is_lost_connection(error: RuntimeError) -> bool:
    """Whether an exchange failed because another rank is gone."""
    return isinstance(error, dist.DistError) or "gloo" in str(error)


def connection_fault(error: RuntimeError) -> str:
    """What a lost connection says first, without the place in gloo's source and its advice."""
    said = re.sub(r"^\[[^]]*\] *", "", " ".join(str(error).split()))
    return said.partition(". ")[0][:120]
