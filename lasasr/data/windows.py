"""Batches of a few shards at a time, so that a shard is read once in an epoch and need not be kept."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lasasr.errors import LasasrError

Batches = list[tuple[int, ...]]


class Window(NamedTuple):
    """What is drawn from a few shards."""

    shards: tuple[int, ...]  # one utterance of each
    batches: Batches


class Windows:
    """Divides the utterances of shards, some shards at a time, into the same number of batches whatever the order.

    A batch that begins in a bucket holds as many utterances as that bucket's longest allows; what the window has too
    few of is filled from the next bucket, whose utterances are shorter. Bucket by bucket, this is the smallest number
    of batches that there is (a batch of the longest left should hold the next longest: any other choice leaves longer
    ones behind). So several shards together never need more batches than each of them alone, and an epoch gets as
    many as these: what is saved is made up for by halving the batches with most utterances.

    Args:
        shards: (N,) the number of each utterance's shard.
        at_once: shards of a window.
        buckets: of each, from the one with the longest on, its utterances and how many of them a batch may hold,
            which does not fall.
        multiple: the number of batches is a multiple of this.

    Raises:
        LasasrError: there are too few utterances for that multiple.
    """

    def __init__(
        self,
        shards: NDArray[np.int64],
        at_once: int,
        buckets: Sequence[tuple[NDArray[np.int64], int]],
        multiple: int,
    ) -> None:
        self._at_once, self._sizes = at_once, [size for _, size in buckets]
        self._bucket_of = np.empty(len(shards), dtype=np.int64)
        for number, (members, _) in enumerate(buckets):
            self._bucket_of[members] = number
        ends = np.flatnonzero(np.diff(np.sort(shards))) + 1
        self._shards = np.split(np.argsort(shards, kind="stable"), ends)
        alone = sum(len(self._cut(members)) for members in self._shards)
        self.count = -(-alone // multiple) * multiple
        if self.count > len(shards):
            way_out = "batches of one cannot be halved: raise batching.max_utterances, or leave out shards_at_once"
            raise LasasrError(f"{len(shards)} utterances are too few for {self.count} batches; {way_out}")

    def draw(self, random: np.random.Generator) -> list[Window]:
        """The windows of an epoch: which shards, who is in which batch, and the order of batches are random."""
        order = random.permutation(len(self._shards))
        drawn = [order[start : start + self._at_once] for start in range(0, len(order), self._at_once)]
        members = [np.concatenate([self._shards[shard] for shard in window]) for window in drawn]
        batches = _halved([self._cut(random.permutation(utterances)) for utterances in members], self.count)
        firsts = [tuple(int(self._shards[shard][0]) for shard in window) for window in drawn]
        return [
            Window(first, [window_batches[index] for index in random.permutation(len(window_batches))])
            for first, window_batches in zip(firsts, batches, strict=True)
        ]

    def _cut(self, members: NDArray[np.int64]) -> Batches:
        members = members[np.argsort(self._bucket_of[members], kind="stable")]
        batches, start = [], 0
        while start < len(members):
            end = start + self._sizes[self._bucket_of[members[start]]]
            batches.append(tuple(members[start:end].tolist()))
            start = end
        return batches


def ahead(windows: Sequence[Window], world_size: int) -> Mapping[int, list[int]]:
    """Batch of a rank → shards to fetch meanwhile, one utterance of each: those of the next window, one by one."""
    ahead_of, start = defaultdict(list), 0
    for window, following in pairwise(windows):
        for number, utterance in enumerate(following.shards, start=1):
            index = start + number * len(window.batches) // (len(following.shards) + 1)
            ahead_of[index // world_size].append(utterance)
        start += len(window.batches)
    return ahead_of


def _halved(windows: list[Batches], count: int) -> list[Batches]:
    """The same with batches halved in place, those with most utterances first, until there are `count` in all."""
    largest = [
        (-len(batch), window, index) for window, batches in enumerate(windows) for index, batch in enumerate(batches)
    ]
    heapq.heapify(largest)
    for _ in range(count - len(largest)):
        _, window, index = heapq.heappop(largest)
        batches = windows[window]
        batch = batches[index]
        batches[index], rest = batch[: len(batch) // 2], batch[len(batch) // 2 :]
        batches.append(rest)
        heapq.heappush(largest, (-len(batches[index]), window, index))
        heapq.heappush(largest, (-len(rest), window, len(batches) - 1))
    return windows
