"""Shards come a few at a time, in another order each epoch; all that the sampler promises otherwise still holds."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from lasasr.data.sampler import Batching, BucketBatches
from lasasr.errors import LasasrError, UsageError

DURATIONS = np.random.default_rng(0).gamma(4.0, 2.0, size=601) + 0.3
SHARDS = np.arange(601) // 50  # 12 of 50, one of one
BATCHING = Batching(max_utterances=12, batch_seconds=60.0, buckets=8, shards_at_once=3)


def sampler(seed=0, per_step=1, ranks=1, rank=0, batching=BATCHING):
    return BucketBatches(DURATIONS, batching, seed, True, per_step, ranks, rank, SHARDS)


def window_of(batches):
    """Shard → (place of its first batch, place of its last)."""
    places = {shard: [] for shard in SHARDS.tolist()}
    for batch_index, batch in enumerate(batches):
        for index in batch:
            places[SHARDS[index]].append(batch_index)
    return {shard: (indices[0], indices[-1]) for shard, indices in places.items()}


def groups(batches):
    """The shards in the order in which they come, three by three."""
    spans = window_of(batches)
    order = sorted(spans, key=lambda shard: spans[shard])
    return [frozenset(order[start : start + 3]) for start in range(0, len(order), 3)]


def test_a_window_ends_before_the_next_begins():
    batches = sampler().batches(0)
    spans = window_of(batches)
    for group, following in pairwise(groups(batches)):
        assert max(spans[shard][1] for shard in group) < min(spans[shard][0] for shard in following)
    mixed = [batch for batch in batches if len({SHARDS[index] for index in batch}) > 1]
    assert len(mixed) > len(batches) / 2


def test_other_epochs_bring_other_shards_together():
    seen = [set(groups(sampler().batches(epoch))) for epoch in range(4)]
    assert all(len(window & other) <= 1 for window, other in pairwise(seen))  # of five windows


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_each_utterance_once_per_epoch(ranks):
    samplers = [sampler(1, ranks, ranks, rank) for rank in range(ranks)]
    for epoch in range(3):
        seen = Counter()
        for rank_sampler in samplers:
            rank_sampler.set_epoch(epoch)
            requests = list(rank_sampler)
            assert len(requests) == len(rank_sampler) == len(samplers[0])
            assert {request.epoch for request in requests} == {epoch}
            seen.update(index for request in requests for index in request.indices)
        assert seen == Counter(range(len(DURATIONS)))


@pytest.mark.parametrize("seed", range(5))
def test_the_number_of_batches_does_not_depend_on_the_epoch(seed):
    """Whatever the corpus: this is where windows could need more batches than an epoch has."""
    random, tried = np.random.default_rng(seed), 0
    for _ in range(20):
        count, per_step = int(random.integers(8, 90)), int(random.integers(1, 5))
        durations = np.round(random.gamma(1.0, 5.0, count) + 0.1, 1)
        shards = np.sort(random.integers(0, random.integers(1, 12), count))
        budget = (int(random.integers(2, 30)), float(random.uniform(10, 80)), int(random.integers(1, 40)))
        batching = Batching(*budget, shards_at_once=int(random.integers(1, 14)))
        try:
            bucket_batches = BucketBatches(durations, batching, seed, batches_per_step=per_step, shards=shards)
        except LasasrError:  # batches of one, and no multiple
            continue
        tried += 1
        for epoch in range(5):
            batches = bucket_batches.batches(epoch)
            assert len(batches) == len(bucket_batches)
            assert len(batches) % per_step == 0
            assert sorted(index for batch in batches for index in batch) == list(range(count))
            for batch in batches:
                assert 1 <= len(batch) <= batching.max_utterances
                assert len(batch) * durations[list(batch)].max() <= batching.batch_seconds or len(batch) == 1
    assert tried > 10


def test_batches_are_few_and_little_is_padding():
    large = Batching(12, 60.0, 8, shards_at_once=13)
    together, apart = sampler(batching=large).batches(0), sampler().batches(0)
    plain = BucketBatches(DURATIONS, Batching(12, 60.0, 8)).batches(0)
    for batches in (together, apart):
        assert len(batches) < 1.15 * len(plain)
        assert sum(len(batch) * DURATIONS[list(batch)].max() for batch in batches) < 1.2 * DURATIONS.sum()


def test_same_seed_and_epoch_give_the_same_batches():
    assert sampler(3).batches(4) == sampler(3).batches(4) != sampler(4).batches(4)
    assert sampler(3).batches(4) != sampler(3).batches(5)


def test_ranks_do_in_a_step_what_one_rank_accumulates():
    alone = sampler(per_step=6).batches(0)
    ranks = [sampler(0, 6, 3, rank) for rank in range(3)]
    assert [request.indices for step in zip(*ranks, strict=True) for request in step] == alone


def test_resume_from_any_batch():
    whole = sampler(0, 2, 2, 1)
    whole.set_epoch(3)
    expected = list(whole)
    for batch in (0, 1, len(expected) // 2, len(expected)):
        resumed = sampler(0, 2, 2, 1)
        resumed.start_from(3, batch)
        resumed.set_epoch(3)
        assert list(resumed) == expected[batch:]


@pytest.mark.parametrize("ranks", [1, 2])
def test_every_rank_hears_of_each_shard_before_its_window(ranks):
    spans = window_of(sampler(per_step=ranks).batches(0))
    for rank in range(ranks):
        announced = {
            SHARDS[index]: batch_index
            for batch_index, request in enumerate(sampler(0, ranks, ranks, rank))
            for index in request.ahead
        }
        assert set(announced) == set(spans) - groups(sampler(per_step=ranks).batches(0))[0]
        assert all(ranks * announced[shard] < spans[shard][0] for shard in announced)


def test_evaluation_and_other_batching_know_no_windows():
    assert BucketBatches(DURATIONS, BATCHING, shuffle=False).batches(0)
    plain = Batching(12, 60.0, 8)
    assert BucketBatches(DURATIONS, plain, shards=SHARDS).batches(1) == BucketBatches(DURATIONS, plain).batches(1)


def test_wrong_requests():
    with pytest.raises(ValueError, match="shards_at_once=3 needs the shards of the utterances"):
        BucketBatches(DURATIONS, BATCHING)
    with pytest.raises(UsageError, match=r"batching\.shards_at_once must be positive, got 0"):
        Batching(12, shards_at_once=0)
    with pytest.raises(UsageError, match=r"shortest_first=1 sorts the whole corpus.*batching\.shards_at_once"):
        Batching(12, shortest_first=1, shards_at_once=2)
    with pytest.raises(LasasrError, match="3 utterances are too few for 4 batches; batches of one cannot be halved"):
        BucketBatches([1.0] * 3, Batching(1, shards_at_once=1), batches_per_step=2, shards=np.zeros(3, dtype=int))
