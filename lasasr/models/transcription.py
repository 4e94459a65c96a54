"""Audio to text: short audio whole, in batches of like length; long audio in pieces, whatever its length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from torch import Tensor

from lasasr.audio.inputs import Input
from lasasr.audio.pauses import Lengths, stretches
from lasasr.audio.silence import holds_nothing
from lasasr.errors import LasasrError
from lasasr.search.hypothesis import Hypothesis
from lasasr.search.joining import Part, joined

T = TypeVar("T")
Recognize = Callable[[Sequence[Tensor], bool], Sequence[Hypothesis]]  # waveforms (S,), and whether to tell word times
NOTHING = Hypothesis((), 0.0, flags=("empty",))  # of silence and steady noise


def transcribe(
    audio: Sequence[Input],
    sample_rate_hz: int,
    lengths: Lengths,
    batch_s: float,
    timestamps: bool,
    recognize: Recognize,
    strict: bool = True,
) -> list[Hypothesis | LasasrError]:
    """The hypothesis of each, in order; what could not be used has the reason in its place.

    Args:
        lengths: of utterances of training; what is longer than the longest is cut into pieces.
        batch_s: seconds of padded audio recognized at once.
        recognize: the best hypotheses of one batch.
        strict: whether the first that cannot be used ends the work.

    Raises:
        LasasrError: `strict`, and one is missing, unreadable, empty or holds NaN; the message names it.
        UsageError: see `Lengths.checked`.
    """
    longest_s = lengths.checked().longest_s
    results: dict[int, Hypothesis | LasasrError] = {}

    def tried(i: int, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except LasasrError as error:
            if strict:
                raise
            results[i] = error
            return None

    # what is short comes first: a file that is missing is said before work on long ones begins
    durations_s = {i: tried(i, entry.duration_s) for i, entry in enumerate(audio)}
    whole = [i for i, seconds in durations_s.items() if seconds is not None and seconds <= longest_s]
    read = {i: tried(i, lambda i=i: audio[i].waveform(sample_rate_hz)) for i in whole}  # type: ignore[misc]
    waveforms = {i: waveform for i, waveform in read.items() if waveform is not None}
    longest_first = sorted(waveforms, key=lambda i: -len(waveforms[i]))
    for group in _batches(longest_first, lambda i: len(waveforms[i]), int(batch_s * sample_rate_hz)):
        best = heard([waveforms[i] for i in group], sample_rate_hz, timestamps, recognize)
        results |= dict(zip(group, best, strict=True))
    for i, entry in enumerate(audio):
        if i in results:
            continue
        joint = tried(
            i,
            lambda: in_pieces(entry.blocks(sample_rate_hz), sample_rate_hz, lengths, batch_s, recognize),  # noqa: B023
        )
        if joint is not None:
            results[i] = joint if timestamps else replace(joint, timed={})
    return [results[i] for i in range(len(audio))]


def heard(waveforms: Sequence[Tensor], sample_rate_hz: int, timestamps: bool, recognize: Recognize) -> list[Hypothesis]:
    """The best hypotheses of one batch; of what holds nothing (`audio.silence`) no text, whatever the model thinks."""
    spoken = [i for i, waveform in enumerate(waveforms) if not holds_nothing(waveform, sample_rate_hz)]
    recognized = recognize([waveforms[i] for i in spoken], timestamps) if spoken else []
    by_number = dict(zip(spoken, recognized, strict=True))
    return [by_number.get(i, NOTHING) for i in range(len(waveforms))]


def in_pieces(
    parts: Iterable[Tensor], sample_rate_hz: int, lengths: Lengths, batch_s: float, recognize: Recognize
) -> Hypothesis:
    """The hypothesis of a waveform that comes in parts (S,), however many: memory is that of one batch.

    Attention weights are left out, since they would grow with the audio.
    """
    decoded: list[Part] = []
    pieces = stretches(parts, sample_rate_hz, lengths)
    for batch in _batches(pieces, lambda piece: len(piece.waveform), int(batch_s * sample_rate_hz)):
        hypotheses = heard([piece.waveform for piece in batch], sample_rate_hz, True, recognize)
        for one, found in zip(batch, hypotheses, strict=True):
            seconds = len(one.waveform) / sample_rate_hz
            decoded.append(Part(one.begin / sample_rate_hz, seconds, one.overlaps, replace(found, weights=None)))
    return joined(decoded)


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
