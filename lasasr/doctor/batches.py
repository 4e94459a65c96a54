"""Batches as the real sampler makes them: how much is padding, how long the utterances are, what the largest one is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lasasr.configuration.settings import Recognition
from lasasr.data.manifest import Utterances
from lasasr.data.replayed import ReplayedBatches
from lasasr.data.sampler import BucketBatches
from lasasr.data.tokens import Tokens
from lasasr.doctor.finding import Finding, overall, percent
from lasasr.models import factory
from lasasr.training.run import replay_ratio

PADDED = 0.3  # of a batch's frames: more is time thrown away
FEW = 10  # batches of an epoch: they cannot be sorted by length
_BINS = 12
_EPOCHS = 3  # looked at


class Shape(NamedTuple):
    """Of a batch, every utterance as long as its longest."""

    utterances: int
    audio_s: float  # of one utterance
    tokens: int  # of one utterance


class Batches(NamedTuple):
    """What an epoch consists of."""

    per_rank: int  # batches of one rank in an epoch
    audio_s: float  # of real audio in a batch, the mean
    padding: float  # share of frames that are padding
    worst: tuple[Shape, ...]  # those that can take most memory


def sampler(
    utterances: Utterances, settings: Recognition, ranks: int, replayed: Utterances | None = None
) -> BucketBatches:
    """The sampler of training.

    Args:
        replayed: utterances of the second corpus of `adapt=replay`.

    Raises:
        LasasrError: there are fewer utterances than an update needs.
    """
    per_step = ranks * int(settings.trainer["accumulate_grad_batches"])
    batching = factory.build(settings.batching, "batching")
    if replayed is not None:
        ratio = replay_ratio(settings) or 0.0
        durations_s = utterances.durations_s, replayed.durations_s
        return ReplayedBatches(*durations_s, ratio, batching, settings.seed, per_step, ranks)
    shards = None if batching.shards_at_once is None else utterances.shards()
    return BucketBatches(utterances.durations_s, batching, settings.seed, True, per_step, ranks, shards=shards)


def batches(
    utterances: Utterances,
    tokens: Tokens,
    plan: BucketBatches,
    stretch: float,
    replayed: Utterances | None = None,
) -> Batches:
    """Measure some epochs of batches.

    Args:
        stretch: how much longer an utterance can become by perturbation.
        replayed: utterances of the second corpus of `adapt=replay`.
    """
    own_s = utterances.durations_s
    durations_s = own_s if replayed is None else np.concatenate([own_s, replayed.durations_s])
    real = padded = 0.0
    for epoch in range(_EPOCHS):
        for members in plan.batches(epoch):
            real += float(durations_s[list(members)].sum())
            padded += len(members) * float(durations_s[list(members)].max())
    count = _EPOCHS * len(plan) * plan.world_size
    return Batches(len(plan), real / count, 1.0 - real / padded, _worst(own_s, tokens, plan, stretch))


def _worst(durations_s: NDArray[np.float64], tokens: Tokens, plan: BucketBatches, stretch: float) -> tuple[Shape, ...]:
    """The largest of what could come together: a bucket's longest utterance and its longest transcript, throughout.

    An encoder's memory grows with utterances × frames, a decoder's with utterances × frames × tokens: where the two
    are largest in different buckets, both are named.
    """
    shapes, counts = [], tokens.counts
    for members, size in plan.largest():
        text = int(counts[members].max(initial=0))
        shapes.append(Shape(size, float(durations_s[members].max()) * stretch, text))
    encoded_worst = max(shapes, key=lambda shape: (shape.utterances * shape.audio_s, shape.tokens))
    decoded_worst = max(shapes, key=lambda shape: shape.utterances * shape.audio_s * (1 + shape.tokens))
    return (decoded_worst,) if encoded_worst == decoded_worst else (decoded_worst, encoded_worst)


def padding(plan: Batches) -> list[Finding]:
    """How much is computed for nothing; a warning where that is much, and there are batches enough to do better."""
    share = f"{percent(plan.padding)} of what is computed is padding"
    if plan.padding <= PADDED or plan.per_rank < FEW:
        return [overall("padding", "note", share)]
    return [overall("padding", "warning", f"{share}: raise batching.buckets, or make batches smaller")]


def histogram(utterances: Utterances) -> list[tuple[float, float, int]]:
    """(from, to, utterances), seconds."""
    low, high = float(utterances.durations_s.min()), float(utterances.durations_s.max())
    counts, edges = np.histogram(utterances.durations_s, bins=_BINS, range=(low, max(high, low + 0.1)))
    return [(round(float(edges[i]), 3), round(float(edges[i + 1]), 3), int(n)) for i, n in enumerate(counts)]


def stretch(settings: Recognition) -> float:
    """How much longer speed perturbation can make an utterance."""
    built = [factory.build(part, "augment.waveform") for part in settings.augment.waveform]
    return float(
        np.prod([float(1 / min(perturbation.factors)) for perturbation in built if hasattr(perturbation, "factors")])
    )
