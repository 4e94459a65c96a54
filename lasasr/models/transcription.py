"""Audio to text: short audio whole, in batches of like length; long audio in pieces, whatever its length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from lasasr.audio.blocks import blocks, duration_s
from lasasr.audio.pauses import Lengths, stretches
from lasasr.audio.read import read
from lasasr.search.hypothesis import Hypothesis
from lasasr.search.joining import Part, joined

Audio = str | Path | Tensor  # a file, or a waveform (S,)
T = TypeVar("T")
Recognize = Callable[[Sequence[Tensor], bool], Sequence[Hypothesis]]  # waveforms (S,), and whether to tell word times


def transcribe(
    audio: Sequence[Audio],
    sample_rate_hz: int,
    lengths: Lengths,
    batch_s: float,
    timestamps: bool,
    recognize: Recognize,
) -> list[Hypothesis]:
    """The hypothesis of each, in order.

    Args:
        lengths: of utterances of training; what is longer than the longest is cut into pieces.
        batch_s: seconds of padded audio recognized at once.
        recognize: the best hypotheses of one batch.

    Raises:
        LasasrError: a file is missing, unreadable, empty or holds NaN; the message names it.
        UsageError: see `Lengths.checked`.
    """
    # what is short comes first: a file that is missing is said before work on long ones begins
    longest_s = lengths.checked().longest_s
    whole = [i for i, one in enumerate(audio) if _duration_s(one, sample_rate_hz) <= longest_s]
    waveforms = [one if isinstance(one := audio[i], Tensor) else read(one, sample_rate_hz) for i in whole]
    found: dict[int, Hypothesis] = {}
    longest_first = sorted(range(len(whole)), key=lambda i: -len(waveforms[i]))
    for group in _batches(longest_first, lambda i: len(waveforms[i]), int(batch_s * sample_rate_hz)):
        best = recognize([waveforms[i] for i in group], timestamps)
        found |= {whole[i]: one for i, one in zip(group, best, strict=True)}
    for i, one in enumerate(audio):
        if i not in found:
            parts = [one.cpu()] if isinstance(one, Tensor) else blocks(one, sample_rate_hz)
            joint = in_pieces(parts, sample_rate_hz, lengths, batch_s, recognize)
            found[i] = joint if timestamps else replace(joint, timed={})
    return [found[i] for i in range(len(audio))]


def in_pieces(
    parts: Iterable[Tensor], sample_rate_hz: int, lengths: Lengths, batch_s: float, recognize: Recognize
) -> Hypothesis:
    """The hypothesis of a waveform that comes in parts (S,), however many: memory is that of one batch.

    Attention weights are left out, since they would grow with the audio.
    """
    decoded: list[Part] = []
    pieces = stretches(parts, sample_rate_hz, lengths)
    for batch in _batches(pieces, lambda piece: len(piece.waveform), int(batch_s * sample_rate_hz)):
        for one, found in zip(batch, recognize([one.waveform for one in batch], True), strict=True):
            seconds = len(one.waveform) / sample_rate_hz
            decoded.append(Part(one.begin / sample_rate_hz, seconds, one.overlaps, replace(found, weights=None)))
    return joined(decoded)


def _duration_s(one: Audio, sample_rate_hz: int) -> float:
    return len(one) / sample_rate_hz if isinstance(one, Tensor) else duration_s(one)


def _batches(items: Iterable[T], size: Callable[[T], int], budget: int) -> Iterator[list[T]]:
    """Neighbours whose padded size stays within `budget` samples (a longer one goes alone)."""
    batch: list[T] = []
    for item in items:
        if batch and max(map(size, [*batch, item])) * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
