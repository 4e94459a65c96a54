"""The batch of a loader, which is the input of the model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lasasr.errors import UsageError
from lasasr.listen.base import Encoded
from lasasr.nn import host_mirror


@dataclass(frozen=True)
class Batch:
    """B utterances, waveforms and tokens padded at the end."""

    ids: tuple[str, ...]
    speakers: tuple[str, ...]
    texts: tuple[str, ...]  # references, after the transcript rule
    waveforms: Tensor  # (B, S) float32 in [-1, 1], zeros after the end; (B, 0) in training on `fixed`
    waveform_lengths: Tensor  # (B,) int64, samples
    tokens: Tensor  # (B, U) int64, special.PAD after the end; no sos, no eos
    token_lengths: Tensor  # (B,) int64
    epoch: int = 0
    fixed: Tensor | None = None  # (B, T', N) float16, what the frozen part of the encoder gave, where that is kept
    fixed_lengths: Tensor | None = None  # (B,) int64
    taught: Mapping[str, Tensor] = field(default_factory=dict)  # what a teacher says of them, each (B, ...)

    @property
    def kept(self) -> Encoded | None:
        """What the frozen part of the encoder gave, where that is kept."""
        if self.fixed is None or self.fixed_lengths is None:
            return None
        return Encoded(self.fixed, self.fixed_lengths)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on `device`; the host keeps a mirror of its lengths and tokens (`nn/host_mirror.py`)."""
        moved: dict[str, Any] = {
            field.name: host_mirror.to(value, device)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        moved["taught"] = {name: host_mirror.to(value, device) for name, value in self.taught.items()}
        return replace(self, **moved)

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory (called by the DataLoader)."""
        tensors = [f.name for f in fields(self) if isinstance(getattr(self, f.name), Tensor)]
        pinned: dict[str, Any] = {name: getattr(self, name).pin_memory() for name in tensors}
        pinned["taught"] = {name: value.pin_memory() for name, value in self.taught.items()}
        return replace(self, **pinned)


class Measured(Dataset[Batch], ABC):
    """A split whose items are whole batches."""

    @property
    @abstractmethod
    def durations_s(self) -> NDArray[np.float64]:
        """(N,) what batches are measured by: the seconds of utterances, the tokens of sentences."""

    def shards(self) -> NDArray[np.int64]:
        """(N,) the number of the shard that each lies in.

        Raises:
            UsageError: they do not lie in shards.
        """
        raise UsageError("batching.shards_at_once is for audio in shards (corpus=shar), and this is none")
