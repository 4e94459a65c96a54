"""Audio to text: short audio whole, in batches of like length; long audio in pieces, whatever its length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from torch import Tensor

from lasasr.audio.inputs import Input
from lasasr.audio.pauses import Lengths, stretches
from lasasr.audio.silence import holds_nothing, without_silent_ends
from lasasr.errors import LasasrError, UsageError
from lasasr.search.hypothesis import Hypothesis
from lasasr.search.joining import Part, joined

T = TypeVar("T")
Recognize = Callable[[Sequence[Tensor], bool], Sequence[Hypothesis]]  # waveforms (S,), and whether to tell word times
WINDOW_BATCHES = 8  # short recordings are sorted by length among so many batches, at first among fewer
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
    that of these. Silence at their ends is left out; the hypothesis then lists what remains as its only piece.

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
    for window in _windows(map(_waiting, audio), longest_s, batch_s):
        if len(window) == 1 and window[0].error is None and window[0].duration_s > longest_s:
            yield _long(window[0].audio, sample_rate_hz, lengths, batch_s, timestamps, recognize)
        else:
            yield from _short(window, sample_rate_hz, batch_s, timestamps, recognize)


def _waiting(audio: Input) -> Waiting:
    try:
        return Waiting(audio, audio.duration_s())
    except LasasrError as error:
        return Waiting(audio, 0.0, error)


def _windows(recordings: Iterable[Waiting], longest_s: float, batch_s: float) -> Iterator[list[Waiting]]:
    """Neighbours that come to 1, 2, 4, ..., WINDOW_BATCHES batches, so that the first results are there soon.

    What is longer than `longest_s` stands alone.
    """
    window: list[Waiting] = []
    batches = 1
    for recording in recordings:
        if recording.duration_s > longest_s:
            if window:
                yield window
            yield [recording]
            window = []
            continue
        window.append(recording)
        if sum(one.duration_s for one in window) >= batches * batch_s or len(window) >= WINDOW_RECORDINGS:
            yield window
            window, batches = [], min(2 * batches, WINDOW_BATCHES)
    if window:
        yield window


def _short(
    window: Sequence[Waiting], sample_rate_hz: int, batch_s: float, timestamps: bool, recognize: Recognize
) -> Iterator[Hypothesis | LasasrError]:
    """The results of recordings that are not cut, in order, each as soon as those before it are there."""
    results: dict[int, Hypothesis | LasasrError] = {}
    waveforms: dict[int, Tensor] = {}
    spans: dict[int, tuple[float, float]] = {}  # what remains without silence at the ends, where that is not all
    for i, (entry, _, error) in enumerate(window):
        if error is not None:
            results[i] = error
            continue
        try:
            whole = entry.waveform(sample_rate_hz)
        except LasasrError as fault:
            results[i] = fault
            continue
        first, waveforms[i] = without_silent_ends(whole, sample_rate_hz)
        if len(waveforms[i]) < len(whole):
            spans[i] = first / sample_rate_hz, len(waveforms[i]) / sample_rate_hz
    longest_first = sorted(waveforms, key=lambda i: -len(waveforms[i]))
    batches = _batches(longest_first, lambda i: len(waveforms[i]), int(batch_s * sample_rate_hz))
    for number in range(len(window)):
        while number not in results:
            group = next(batches)
            best = recognize_batch([waveforms[i] for i in group], sample_rate_hz, timestamps, recognize)
            results |= {i: _placed(hypothesis, spans.get(i)) for i, hypothesis in zip(group, best, strict=True)}
        yield results.pop(number)


def _placed(best: Hypothesis, span: tuple[float, float] | None) -> Hypothesis:
    """The hypothesis of a part, which begins and lasts so many seconds, as one of the whole recording."""
    if span is None or best is NOTHING:
        return best
    begin_s, duration_s = span
    part = Part(begin_s, duration_s, overlaps=False, hypothesis=replace(best, weights=None))
    return replace(joined([part]), alternatives=best.alternatives)


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
