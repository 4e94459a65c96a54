"""Which utterances form which batch, in which order, on which rank."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from lasasr.data.windows import Window, Windows, ahead
from lasasr.errors import LasasrError, UsageError

log = logging.getLogger(__name__)

LENGTH_RATIO = 0.75  # within a bucket of many batches the shortest utterance is at least this share of the longest


@dataclass(frozen=True)
class Batching:
    """How large a batch is.

    Args:
        max_utterances: utterances of a batch, at most.
        batch_seconds: padded duration of a batch (utterances × its longest) at most; None: only utterances count.
        buckets: about how many groups of like duration the utterances are shuffled within; more of them means less
            padding, fewer means more variety.
        shortest_first: epochs, at the beginning of training, in which short utterances come before long ones (Amodei
            et al. 2016, §3.2): attention without CTC finds the diagonal of a short utterance first.
        shards_at_once: utterances come together within so many shards only, which are drawn anew for each epoch; None:
            within the whole corpus.

    Raises:
        UsageError: a value is not positive; `shortest_first` is negative, or set together with `shards_at_once`.
    """

    max_utterances: int
    batch_seconds: float | None = None
    buckets: int = 20
    shortest_first: int = 0
    shards_at_once: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_utterances", "batch_seconds", "buckets", "shards_at_once"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"batching.{name} must be positive, got {value}")
        if self.shortest_first < 0:
            raise UsageError(f"batching.shortest_first must not be negative, got {self.shortest_first}")
        if self.shortest_first and self.shards_at_once is not None:
            first = f"batching.shortest_first={self.shortest_first}"
            raise UsageError(f"{first} sorts the whole corpus, so it cannot stand beside batching.shards_at_once")

    def size(self, longest_s: float) -> int:
        """Utterances of a batch whose longest has `longest_s`; at least one, even beyond the budget."""
        if self.batch_seconds is None:
            return self.max_utterances
        return max(1, min(self.max_utterances, int(self.batch_seconds / longest_s)))


class Request(NamedTuple):
    """The batch that a dataset is to load."""

    epoch: int
    indices: tuple[int, ...]
    ahead: tuple[int, ...] = ()  # utterances whose shards will be wanted soon


class BucketBatches(Sampler[Request]):
    """The batches of one rank, epoch by epoch.

    The batches of an epoch are a pure function of (durations in their order, batching, shuffle, seed, epoch,
    batches_per_step, shards): every utterance is in exactly one batch, nothing is dropped or repeated. In training both
    the membership within a bucket and the order of batches are drawn anew each epoch (the order not in the first
    epochs, if they go from short to long); without `shuffle` the order is by duration, the longest first. All epochs
    have the same number of batches. With `shards_at_once`, training takes them from one window of shards after another
    (see `Windows`).

    That number is made a multiple of `batches_per_step` by halving the batches with most utterances (where each batch
    holds one, as many as necessary of the shortest are put in pairs, whatever the budget). Rank r of W takes the
    batches r, r + W, ...: each rank has the same number, no utterance is used twice, and W ranks process in one step
    what one rank processes in W accumulated batches when both give the same `batches_per_step`.

    An utterance longer than the budget forms a batch of its own.

    Lhotse's DynamicBucketingSampler is not used because it streams: what follows after n batches can only be known by
    running it for n batches, its number of batches is unknown beforehand and depends on the number of ranks, and
    incomplete buckets end up different per rank. Here a resume jumps to batch n, and ranks only divide a fixed list.

    Args:
        durations_s: (N,) of the utterances.
        batching: how large a batch is.
        seed: of the run.
        shuffle: True in training.
        batches_per_step: the number of batches of an epoch is a multiple of this; ranks × accumulated batches.
        world_size: ranks; must divide `batches_per_step`.
        rank: of this process.
        shards: (N,) the number of each utterance's shard, for `shards_at_once`.

    Raises:
        LasasrError: there are fewer utterances than `batches_per_step`.
        ValueError: `world_size` does not divide `batches_per_step`, or `rank` is not below `world_size`.
    """

    def __init__(
        self,
        durations_s: Sequence[float] | NDArray[np.float64],
        batching: Batching,
        seed: int = 0,
        shuffle: bool = True,
        batches_per_step: int = 1,
        world_size: int = 1,
        rank: int = 0,
        shards: NDArray[np.int64] | None = None,
    ) -> None:
        if batches_per_step % world_size or not 0 <= rank < world_size:
            shares = f"rank {rank} of {world_size}, {batches_per_step} batches per step"
            raise ValueError(f"world_size must divide batches_per_step and exceed rank, got {shares}")
        durations = np.asarray(durations_s, dtype=np.float64)
        if len(durations) < batches_per_step:
            needed = f"{batches_per_step} batches per step (ranks × accumulated batches)"
            way_out = "lower trainer.accumulate_grad_batches, or use fewer devices"
            raise LasasrError(f"{len(durations)} utterances are too few for {needed}; {way_out}")
        self.seed, self.shuffle = seed, shuffle
        self.shortest_first = batching.shortest_first
        self.world_size, self.rank = world_size, rank
        self.epoch, self.start = 0, 0
        buckets = _buckets(durations, batching)
        self._windows = None
        if shuffle and batching.shards_at_once is not None:
            if shards is None:
                raise ValueError(f"shards_at_once={batching.shards_at_once} needs the shards of the utterances")
            buckets = [_Bucket(members, [batching.size(durations[members[0]])]) for members, _ in buckets]
            limits = [(members, size) for members, (size,) in buckets]
            self._windows = Windows(shards, batching.shards_at_once, limits, batches_per_step)
        else:
            buckets = _divided(buckets, batches_per_step)
        self._buckets = buckets
        if rank == 0:
            _warn_of_overlong(durations, batching)

    def batches(self, epoch: int) -> list[tuple[int, ...]]:
        """All batches of an epoch, those of every rank, as indices of utterances."""
        if self._windows is not None:
            return [batch for window in self._drawn(self._windows, epoch) for batch in window.batches]
        random = np.random.default_rng([self.seed, epoch])
        batches = []
        for bucket in self._buckets:
            members = random.permutation(bucket.members) if self.shuffle else bucket.members
            ends = np.cumsum(bucket.sizes)
            batches += [tuple(members[end - size : end].tolist()) for end, size in zip(ends, bucket.sizes, strict=True)]
        if not self.shuffle:
            return batches
        if epoch < self.shortest_first:
            return batches[::-1]
        return [batches[index] for index in random.permutation(len(batches))]

    def _drawn(self, windows: Windows, epoch: int) -> list[Window]:
        return windows.draw(np.random.default_rng([self.seed, epoch]))

    def largest(self) -> list[tuple[NDArray[np.int64], int]]:
        """Of each bucket its members (indices of utterances, the longest first) and the size of its largest batch."""
        return [(bucket.members, max(bucket.sizes)) for bucket in self._buckets]

    def set_epoch(self, epoch: int) -> None:
        """Iterate over this epoch from now on, from its beginning unless `start_from` has set its first batch."""
        if epoch != self.epoch:
            self.epoch, self.start = epoch, 0

    def start_from(self, epoch: int, batch: int) -> None:
        """Begin `epoch` with this rank's batch number `batch`: a resumed run goes on where it stopped."""
        self.epoch, self.start = epoch, batch

    def __len__(self) -> int:
        """Batches of this rank in a whole epoch, wherever it starts."""
        if self._windows is not None:
            return self._windows.count // self.world_size
        return sum(len(bucket.sizes) for bucket in self._buckets) // self.world_size

    def __iter__(self) -> Iterator[Request]:
        own = self.batches(self.epoch)[self.rank :: self.world_size]
        soon = {} if self._windows is None else ahead(self._drawn(self._windows, self.epoch), self.world_size)
        # a list and no generator: what is iterated over is fixed now, whatever epoch is set later
        requests = [Request(self.epoch, indices, tuple(soon.get(index, ()))) for index, indices in enumerate(own)]
        return iter(requests[self.start :])


class _Bucket(NamedTuple):
    members: NDArray[np.int64]  # the longest first
    sizes: list[int]  # of its batches


def _buckets(durations: NDArray[np.float64], batching: Batching) -> list[_Bucket]:
    """Cut the utterances, the longest first, into buckets of whole batches; only the last batch is ragged.

    A bucket's batches are as large as its longest utterance allows, so that they stay within the budget whatever
    members they draw.
    """
    order = np.argsort(-durations, kind="stable")
    falling = durations[order]
    usual_size = max(1, round(len(order) / batching.buckets))
    buckets = []
    start = 0
    while start < len(order):
        size = batching.size(falling[start])
        similar = int(np.searchsorted(-falling, -LENGTH_RATIO * falling[start], side="right")) - start
        count = max(1, min(round(usual_size / size), similar // size))
        members = order[start : start + count * size]
        parts = np.array_split(members, -(-len(members) // size))
        buckets.append(_Bucket(members, [len(part) for part in parts]))
        start += len(members)
    return buckets


def _divided(buckets: list[_Bucket], multiple: int) -> list[_Bucket]:
    """The buckets with batches halved, those with most utterances first, until `multiple` divides their number."""
    while count := sum(len(bucket.sizes) for bucket in buckets) % multiple:
        sizes = max(buckets, key=lambda bucket: max(bucket.sizes)).sizes
        index = sizes.index(max(sizes))
        size = sizes[index]
        if size == 1:
            return _paired(np.concatenate([bucket.members for bucket in buckets]), count)
        sizes[index : index + 1] = [size - size // 2, size // 2]
    return buckets


def _paired(members: NDArray[np.int64], pairs: int) -> list[_Bucket]:
    """Every utterance alone but for the shortest, which form `pairs` batches of two."""
    alone = len(members) - 2 * pairs
    return [_Bucket(members[:alone], [1] * alone), _Bucket(members[alone:], [2] * pairs)]


def _warn_of_overlong(durations: NDArray[np.float64], batching: Batching) -> None:
    if batching.batch_seconds is None:
        return
    overlong = int((durations > batching.batch_seconds).sum())
    if overlong:
        budget = f"batching.batch_seconds={batching.batch_seconds:g}"
        longest = f"the longest has {durations.max():.1f} s"
        log.warning("%d utterances are longer than %s (%s): each is a batch of its own", overlong, budget, longest)
