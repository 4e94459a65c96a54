"""Every utterance exactly once, whatever the ranks; the same again for the same seed and epoch."""

import logging
from collections import Counter

import numpy as np
import pytest

from lasasr.data.sampler import Batching, BucketBatches
from lasasr.errors import LasasrError, UsageError

DURATIONS = np.random.default_rng(0).gamma(4.0, 2.0, size=501) + 0.3
BY_SECONDS = Batching(max_utterances=32, batch_seconds=60.0, buckets=8)
BY_UTTERANCES = Batching(max_utterances=24, buckets=6)


@pytest.mark.parametrize("batching", [BY_SECONDS, BY_UTTERANCES, Batching(1), Batching(1000), Batching(7, 10.0, 1)])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_each_utterance_once_per_epoch(batching: Batching, shuffle: bool, world_size: int) -> None:
    ranks = [BucketBatches(DURATIONS, batching, 1, shuffle, world_size, world_size, rank) for rank in range(world_size)]
    for epoch in (0, 1):
        seen: Counter[int] = Counter()
        for rank in ranks:
            rank.set_epoch(epoch)
            requests = list(rank)
            assert len(requests) == len(rank) == len(ranks[0])
            assert all(request.epoch == epoch and request.indices for request in requests)
            seen.update(index for request in requests for index in request.indices)
        assert seen == Counter(range(len(DURATIONS)))


@pytest.mark.parametrize("seed", range(5))
def test_random_corpora_lose_nothing(seed: int) -> None:
    random = np.random.default_rng(seed)
    for _ in range(20):
        count, per_step = int(random.integers(8, 60)), int(random.integers(1, 9))
        durations = np.round(random.gamma(1.0, 5.0, count) + 0.1, 1)
        batching = Batching(int(random.integers(1, 30)), float(random.uniform(1, 80)), int(random.integers(1, 40)))
        batches = BucketBatches(durations, batching, batches_per_step=per_step).batches(seed)
        assert len(batches) % per_step == 0
        assert sorted(index for batch in batches for index in batch) == list(range(count))
        longest = max(len(batch) for batch in batches)
        for batch in batches:
            if len(batch) == 2 and longest == 2:
                continue  # a pair of single ones, for there was nothing left to halve
            assert len(batch) <= batching.max_utterances
            assert len(batch) * durations[list(batch)].max() <= batching.batch_seconds or len(batch) == 1


def test_budgets_are_kept_and_used() -> None:
    batches = BucketBatches(DURATIONS, BY_SECONDS).batches(0)
    padded = [len(batch) * DURATIONS[list(batch)].max() for batch in batches]
    assert max(padded) <= 60.0
    assert np.mean(padded) > 45.0
    assert sum(padded) < 1.15 * DURATIONS.sum()  # padding
    sizes = sorted(len(batch) for batch in BucketBatches(DURATIONS, BY_UTTERANCES).batches(0))
    assert sizes[-1] == 24
    assert len(sizes) == -(-501 // 24)


def test_same_seed_and_epoch_give_the_same_batches() -> None:
    sampler = BucketBatches(DURATIONS, BY_SECONDS, seed=3)
    assert sampler.batches(4) == BucketBatches(DURATIONS, BY_SECONDS, seed=3).batches(4)
    assert sampler.batches(4) != BucketBatches(DURATIONS, BY_SECONDS, seed=4).batches(4)


def test_epochs_differ_in_order_and_membership_not_in_number() -> None:
    sampler = BucketBatches(DURATIONS, BY_SECONDS)
    first, second = sampler.batches(0), sampler.batches(1)
    assert len(first) == len(second)
    assert [len(batch) for batch in first] != [len(batch) for batch in second]
    shared = {frozenset(batch) for batch in first if len(batch) > 2} & {frozenset(batch) for batch in second}
    assert len(shared) < len(first) / 4


def test_ranks_do_in_a_step_what_one_rank_accumulates() -> None:
    alone = BucketBatches(DURATIONS, BY_SECONDS, batches_per_step=6).batches(2)
    ranks = [BucketBatches(DURATIONS, BY_SECONDS, 0, True, 6, 3, rank) for rank in range(3)]
    for rank in ranks:
        rank.set_epoch(2)
    together = [request.indices for step in zip(*ranks, strict=True) for request in step]
    assert together == alone


def test_resume_from_any_batch() -> None:
    whole = BucketBatches(DURATIONS, BY_SECONDS, 0, True, 2, 2, 1)
    whole.set_epoch(3)
    expected = list(whole)
    for batch in (0, 1, len(expected) - 1, len(expected)):
        resumed = BucketBatches(DURATIONS, BY_SECONDS, 0, True, 2, 2, 1)
        resumed.start_from(3, batch)
        resumed.set_epoch(3)  # as Lightning says at the start of every epoch
        assert list(resumed) == expected[batch:]
        assert len(resumed) == len(expected)
        resumed.set_epoch(4)
        assert len(list(resumed)) == len(expected)


def test_iterating_is_settled_when_it_begins() -> None:
    sampler = BucketBatches(DURATIONS, BY_SECONDS)
    begun = iter(sampler)
    sampler.set_epoch(5)
    assert {request.epoch for request in begun} == {0}


def test_evaluation_goes_from_long_to_short() -> None:
    batches = BucketBatches(DURATIONS, BY_SECONDS, shuffle=False).batches(0)
    order = [index for batch in batches for index in batch]
    assert np.all(np.diff(DURATIONS[order]) <= 0)
    assert batches == BucketBatches(DURATIONS, BY_SECONDS, seed=9, shuffle=False).batches(7)


def test_the_first_epochs_may_go_from_short_to_long() -> None:
    rising = BucketBatches(DURATIONS, Batching(24, buckets=6, shortest_first=2), seed=3)
    plain = BucketBatches(DURATIONS, BY_UTTERANCES, seed=3)
    assert sorted(rising.batches(1)) == sorted(plain.batches(1)) != sorted(rising.batches(0))
    assert rising.batches(2) == plain.batches(2)
    alone = BucketBatches(DURATIONS, Batching(24, buckets=1000, shortest_first=1), seed=3).batches(0)
    durations = [DURATIONS[index] for batch in alone for index in sorted(batch, key=lambda index: DURATIONS[index])]
    assert durations == sorted(DURATIONS)  # each bucket is one batch: nothing but their order is left


def test_overlong_utterance_is_alone_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    durations = [2.0, 75.0, 3.0, 61.0, *[2.5] * 60]
    with caplog.at_level(logging.WARNING):
        sampler = BucketBatches(durations, BY_SECONDS)
        batches = sampler.batches(0) + sampler.batches(1)
        BucketBatches(durations, BY_SECONDS, 0, True, 2, 2, 1)  # the other rank is silent
    assert batches.count((1,)) == batches.count((3,)) == 2
    assert max(len(batch) for batch in batches) > 10
    assert [record.getMessage().split(" (")[0] for record in caplog.records] == [
        "2 utterances are longer than batching.batch_seconds=60"
    ]


def test_wrong_requests() -> None:
    with pytest.raises(LasasrError, match="3 utterances are too few for 4 batches"):
        BucketBatches([1.0, 2.0, 3.0], BY_SECONDS, batches_per_step=4, world_size=4)
    with pytest.raises(ValueError, match="rank 2 of 2"):
        BucketBatches(DURATIONS, BY_SECONDS, batches_per_step=2, world_size=2, rank=2)
    with pytest.raises(UsageError, match=r"batching\.max_utterances"):
        Batching(0)
    with pytest.raises(UsageError, match=r"batching\.shortest_first must not be negative, got -1"):
        Batching(1, shortest_first=-1)
