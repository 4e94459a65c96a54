"""Batches of two corpora: each holds utterances of the one that is trained on, and some of a second one (replay)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lasasr.data.batch import Batch, Measured
from lasasr.data.sampler import Batching, BucketBatches, Request
from lasasr.errors import UsageError
from lasasr.text import special

_PASSES = 1  # in the seed of a pass over the second corpus, which is none of an epoch's


class ReplayedBatches(BucketBatches):
    """The batches of `BucketBatches` over the first corpus, smaller, each with its share of the second.

    An epoch goes once through the first corpus. The second one is gone through in passes, each a permutation of it, so
    that after any number of epochs its utterances have been drawn equally often but for one; what an epoch draws is a
    function of (seed, epoch, sizes). The shortest of it join the batches of the shortest, so that little is padding.

    Args:
        durations_s: (N,) of the first corpus: indices below N.
        replayed_s: (M,) of the second: indices from N on.
        ratio: share of the utterances that the second one gives, in (0, 1); a batch may have one more or less.
        batching: of a whole batch; its duration may be passed where an epoch draws longer utterances than most do.
        seed, batches_per_step, world_size, rank: see `BucketBatches`.

    Raises:
        UsageError: `batching` takes utterances of one shard after another.
        LasasrError: see `BucketBatches`.
    """

    def __init__(
        self,
        durations_s: Sequence[float] | NDArray[np.float64],
        replayed_s: Sequence[float] | NDArray[np.float64],
        ratio: float,
        batching: Batching,
        seed: int = 0,
        batches_per_step: int = 1,
        world_size: int = 1,
        rank: int = 0,
    ) -> None:
        if batching.shards_at_once is not None:
            raise UsageError(
                "adapt=replay draws from a whole corpus, so it cannot stand beside batching.shards_at_once"
            )
        self._replayed_s = np.asarray(replayed_s, dtype=np.float64)
        self._own_s = np.asarray(durations_s, dtype=np.float64)
        self._per_own = ratio / (1.0 - ratio)
        self._per_epoch = drawn_of(len(self._own_s), ratio)
        expected_s = np.maximum(self._own_s, _of_same_rank(self._own_s, self._replayed_s))
        super().__init__(expected_s, _first_share(batching, ratio), seed, True, batches_per_step, world_size, rank)

    def batches(self, epoch: int) -> list[tuple[int, ...]]:
        """All batches of an epoch, those of every rank: indices of the first corpus, then of the second."""
        own = super().batches(epoch)
        ends = np.round(self._per_own * np.cumsum([len(batch) for batch in own])).astype(int)
        counts = np.diff(ends, prepend=0)
        drawn = self._draw(epoch)
        rising = drawn[np.argsort(self._replayed_s[drawn], kind="stable")] + len(self._own_s)
        longest_s = [float(self._own_s[list(batch)].max()) for batch in own]
        batches, taken = list(own), 0
        for index in np.argsort(longest_s, kind="stable").tolist():
            count = int(counts[index])
            batches[index] = own[index] + tuple(rising[taken : taken + count].tolist())
            taken += count
        return batches

    def largest(self) -> list[tuple[NDArray[np.int64], int]]:
        """Of each bucket its members in the first corpus and the size of its largest batch, with what joins it."""
        return [(members, size + math.ceil(self._per_own * size)) for members, size in super().largest()]

    def _draw(self, epoch: int) -> NDArray[np.int64]:
        """What an epoch draws of the second corpus."""
        total = len(self._replayed_s)
        first, last = epoch * self._per_epoch, (epoch + 1) * self._per_epoch
        passes = range(first // total, max(first // total + 1, -(-last // total)))
        orders = [np.random.default_rng([self.seed, number, _PASSES]).permutation(total) for number in passes]
        start = first - passes.start * total
        drawn: NDArray[np.int64] = np.concatenate(orders)[start : start + self._per_epoch]
        return drawn


def drawn_of(own: int, ratio: float) -> int:
    """Utterances of the second corpus that join so many of the first."""
    return round(ratio / (1.0 - ratio) * own)


def _of_same_rank(durations_s: NDArray[np.float64], others_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) for each utterance the duration that stands at its place among the others, when both are sorted."""
    ranks = np.empty(len(durations_s))
    ranks[np.argsort(durations_s, kind="stable")] = (np.arange(len(durations_s)) + 0.5) / max(1, len(durations_s))
    of_same_rank: NDArray[np.float64] = np.quantile(others_s, ranks)
    return of_same_rank


def _first_share(batching: Batching, ratio: float) -> Batching:
    """What of a batch's budget is left for the first corpus."""
    seconds = batching.batch_seconds
    return replace(
        batching,
        max_utterances=max(1, round(batching.max_utterances * (1.0 - ratio))),
        batch_seconds=None if seconds is None else seconds * (1.0 - ratio),
    )


class ReplayedDataset(Measured):
    """Two datasets as one: the indices of the second come after those of the first."""

    def __init__(self, own: Measured, replayed: Measured) -> None:
        self.own, self.replayed = own, replayed

    @property
    def durations_s(self) -> NDArray[np.float64]:
        """(N + M,) of both."""
        return np.concatenate([self.own.durations_s, self.replayed.durations_s])

    def __getitem__(self, request: Request) -> Batch:
        """One batch, the utterances in the order of the request's two parts."""
        count = len(self.own.durations_s)
        parts = (
            (self.own, tuple(index for index in request.indices if index < count)),
            (self.replayed, tuple(index - count for index in request.indices if index >= count)),
        )
        batches = [dataset[request._replace(indices=indices)] for dataset, indices in parts if indices]
        return batches[0] if len(batches) == 1 else _joined(*batches)


def _joined(first: Batch, second: Batch) -> Batch:
    """One batch of two, padded to the longer one."""
    together: dict[str, Any] = {
        name: getattr(first, name) + getattr(second, name) for name in ("ids", "speakers", "texts")
    }
    for name, padding in (("waveforms", 0), ("tokens", special.PAD), ("fixed", 0)):
        if getattr(first, name) is not None:
            together[name] = _stacked(getattr(first, name), getattr(second, name), padding)
    for name in ("waveform_lengths", "token_lengths", "fixed_lengths"):
        if getattr(first, name) is not None:
            together[name] = torch.cat([getattr(first, name), getattr(second, name)])
    return replace(first, **together)


def _stacked(first: Tensor, second: Tensor, padding: int) -> Tensor:
    """(B, T, ...) and (C, S, ...) → (B + C, max(T, S), ...)."""
    longest = max(first.shape[1], second.shape[1])
    padded = [
        functional.pad(part, [0, 0] * (part.dim() - 2) + [0, longest - part.shape[1]], value=padding)
        for part in (first, second)
    ]
    return torch.cat(padded)
