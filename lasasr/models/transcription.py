"""Audio to text: short audio whole, in batches of like length; long audio in pieces, whatever its length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from torch import Tensor

from lasasr.audio.inputs import Input
from lasasr.audio.pauses import Lengths, stretches
from lasasr.audio.silence import holds_nothing
from lasasr.errors import LasasrError, UsageError
from lasasr.search.hypothesis import Hypothesis
from lasasr.search.joining import Part, joined

T = TypeVar("T")
Recognize = Callable[[Sequence[Tensor], bool], Sequence[Hypothesis]]  # waveforms (S,), and whether to tell word times
WINDOW_BATCHES = 8  # short recordings are sorted by length among so many batches
WINDOW_RECORDINGS = 1000  # ... and at most so many recordings
NOTHING = Hypothesis((), 0.0, flags=("empty",))  # of silence and steady noise


class Waiting(NamedTuple):
    """A recording before it is decoded."""

    audio: Input
    duration_s: float
    error: LasasrError | None = None  # why it cannot be used


def stream(
    audio: Iterable[Input],
    sample_rate_hz: int,
    lengths: Lengths,
    batch_s: float,
    timestamps: bool,
    recognize: Recognize,
) -> Iterator[Hypothesis | LasasrError]:
    """The hypothesis of each, in order, or why it could not be used; each as soon as those before it are there.

    Short recordings are decoded together with neighbours of like length, WINDOW_BATCHES batches at a time; memory is
    that of these.

    Args:
        lengths: of utterances of training; what is longer than the longest is cut into pieces.
        batch_s: seconds of padded audio recognized at once.
        recognize: the best hypotheses of one batch.

    Raises:
        UsageError: see `Lengths.checked`, or `batch_s` is not positive.
    """
    longest_s = lengths.checked().longest_s
    if not batch_s > 0:
        raise UsageError(f"batches must hold more than 0 s of audio, got {batch_s:g} s")
    for window in _windows(map(_waiting, audio), longest_s, WINDOW_BATCHES * batch_s):
        if len(window) == 1 and window[0].error is None and window[0].duration_s > longest_s:
            yield _long(window[0].audio, sample_rate_hz, lengths, batch_s, timestamps, recognize)
        else:
            yield from _short(window, sample_rate_hz, batch_s, timestamps, recognize)


def _waiting(audio: Input) -> Waiting:
    try:
        return Waiting(audio, audio.duration_s())
    except LasasrError as error:
        return Waiting(audio, 0.0, error)


def _windows(recordings: Iterable[Waiting], longest_s: float, window_s: float) -> Iterator[list[Waiting]]:
    """Neighbours that come to `window_s`; what is longer than `longest_s` stands alone."""
    window: list[Waiting] = []
    for recording in recordings:
        if recording.duration_s > longest_s:
            if window:
                yield window
            yield [recording]
            window = []
            continue
        window.append(recording)
        if sum(one.duration_s for one in window) >= window_s or len(window) >= WINDOW_RECORDINGS:
            yield window
            window = []
    if window:
        yield window


def _short(
    window: Sequence[Waiting], sample_rate_hz: int, batch_s: float, timestamps: bool, recognize: Recognize
) -> list[Hypothesis | LasasrError]:
    """The results of recordings that are not cut."""
    results: dict[int, Hypothesis | LasasrError] = {}
    waveforms: dict[int, Tensor] = {}
    for i, (entry, _, error) in enumerate(window):
        if error is not None:
            results[i] = error
            continue
        try:
            waveforms[i] = entry.waveform(sample_rate_hz)
        except LasasrError as fault:
            results[i] = fault
    longest_first = sorted(waveforms, key=lambda i: -len(waveforms[i]))
    for group in _batches(longest_first, lambda i: len(waveforms[i]), int(batch_s * sample_rate_hz)):
        best = recognize_batch([waveforms[i] for i in group], sample_rate_hz, timestamps, recognize)
        results |= dict(zip(group, best, strict=True))
    return [results[i] for i in range(len(window))]


def _long(
    audio: Input, sample_rate_hz: int, lengths: Lengths, batch_s: float, timestamps: bool, recognize: Recognize
) -> Hypothesis | LasasrError:
    try:
        joint = in_pieces(audio.blocks(sample_rate_hz), sample_rate_hz, lengths, batch_s, recognize)
    except LasasrError as error:
        return error
    return joint if timestamps else replace(joint, timed={})


def recognize_batch(
    waveforms: Sequence[Tensor], sample_rate_hz: int, timestamps: bool, recognize: Recognize
) -> list[Hypothesis]:
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
        hypotheses = recognize_batch([piece.waveform for piece in batch], sample_rate_hz, True, recognize)
        for piece, hypothesis in zip(batch, hypotheses, strict=True):
            seconds = len(piece.waveform) / sample_rate_hz
            decoded.append(
                Part(piece.begin / sample_rate_hz, seconds, piece.overlaps, replace(hypothesis, weights=None))
            )
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
