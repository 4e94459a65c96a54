"""Random numbers that belong to an utterance and an epoch, and to nothing else.

What is drawn for an utterance does not depend on its batch, its worker or its rank, and is the same again after a
resume. Everything random that is done to the input draws from here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def generator(stream: str, seed: int, epoch: int, utterance: str) -> torch.Generator:
    """A CPU generator for one utterance in one epoch; `stream` keeps the uses of one seed apart."""
    name = f"{stream}/{seed}/{epoch}/{utterance}".encode()
    key = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")
    return torch.Generator().manual_seed(key >> 1)


def uniform(stream: str, seed: int, epoch: int, utterances: Sequence[str], count: int) -> Tensor:
    """(B, count) float32 on the CPU, uniform in [0, 1): row b belongs to utterances[b]."""
    return torch.stack([torch.rand(count, generator=generator(stream, seed, epoch, each)) for each in utterances])


def between(drawn: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Whole numbers, int64, uniform in low..high (both included), from `drawn` in [0, 1)."""
    span = (high - low + 1).clamp(min=1)
    return low + (drawn * span).long().minimum(span - 1)  # the product can round up to the span
