"""Decoded audio kept in memory, shared by the workers of a loader."""

from __future__ import annotations

import mmap
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class AudioCache:
    """Waveforms by index, float32, as many from the first on as fit the budget.

    The memory is anonymous and shared: workers forked from this process fill it for each other, and it is taken from
    the system only as it is filled. It does not count against /dev/shm, which is small in containers. Workers that
    are spawned (the default on macOS and Windows) get an empty cache and decode each time.

    Args:
        capacities: samples that each waveform can have at most.
        budget_mb: MiB.
    """

    def __init__(self, capacities: Sequence[int], budget_mb: float) -> None:
        ends = np.cumsum(np.asarray(capacities, dtype=np.int64))
        self._ends = ends[ends * 4 <= budget_mb * 2**20]
        total = int(self._ends[-1]) if len(self._ends) else 0
        self._samples = _shared(total, np.float32)
        self._lengths = _shared(len(self._ends), np.int64)  # 0: not there yet

    def __reduce__(self) -> tuple[type[AudioCache], tuple[list[int], float]]:
        return AudioCache, ([], 0.0)

    def get(self, index: int) -> Tensor | None:
        """A copy of the waveform (S,), or None when it is not held."""
        if index >= len(self._lengths) or not self._lengths[index]:
            return None
        start = self._start(index)
        return torch.from_numpy(self._samples[start : start + self._lengths[index]].copy())

    def put(self, index: int, waveform: Tensor) -> None:
        """Keep the waveform (S,) if there is room for it."""
        if index >= len(self._lengths) or len(waveform) > self._ends[index] - self._start(index):
            return
        start = self._start(index)
        self._samples[start : start + len(waveform)] = waveform.numpy()
        self._lengths[index] = len(waveform)  # last: another worker reads only what is whole

    def _start(self, index: int) -> int:
        return int(self._ends[index - 1]) if index else 0


def _shared(count: int, dtype: type) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
    size = np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, max(1, count * size)), dtype=dtype, count=count)
