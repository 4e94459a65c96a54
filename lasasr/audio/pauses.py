"""A waveform longer than what a recognizer learnt from, cut into stretches: in pauses where there are any.

The rule, for utterances of training that usually lasted `usual_s` and at most `longest_s`. A stretch ends in the middle
of the longest pause between 0.5 and 1.5 times `usual_s`; where there is none, of the longest until `longest_s`. Where
there is none either, it is cut in speech: it ends half an overlap behind the quietest place, and the next begins half
an overlap before that, its length counted from behind the overlap. A pause is 0.2 s or more whose power is 15 dB below
the mean of what might become the stretch, or 65 dB below full scale, which is silence: it is taken from the ends of
stretches, since there was hardly any in training.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lasasr.errors import UsageError

FRAME_S = 0.01  # to which cuts are rounded
PAUSE_S = 0.2  # over which power is averaged: the silence before a plosive is shorter
DEPTH_DB = 15.0  # below the mean: weak syllables lie higher
SILENCE_DB = -65.0  # of full scale, as mean square: below it nobody speaks
NEAR_USUAL = (0.5, 1.5)  # times the usual length
OVERLAP_S = 2.0  # of stretches that are cut in speech: some words to either side ...
OVERLAP_SHARE = 0.25  # ... but not more than this of the longest
LEAST_S = 1.0  # a shorter `longest_s` would cut words into parts


class Lengths(NamedTuple):
    """How long utterances of training were, in seconds."""

    usual_s: float
    longest_s: float

    def checked(self) -> Lengths:
        """Themselves, `usual_s` no more than `longest_s`.

        Raises:
            UsageError: `longest_s` is less than LEAST_S, or no number.
        """
        if not self.longest_s >= LEAST_S:
            raise UsageError(f"pieces of long audio must be at least {LEAST_S:g} s long, got {self.longest_s:g} s")
        return Lengths(min(self.usual_s, self.longest_s), self.longest_s)


class Stretch(NamedTuple):
    """Part of a long waveform."""

    begin: int  # its first sample, counted from the beginning of the whole
    waveform: Tensor  # (S,)
    overlaps: bool  # it was cut in speech and begins before the end of the one before it


def stretches(blocks: Iterable[Tensor], sample_rate_hz: int, lengths: Lengths) -> Iterator[Stretch]:
    """The stretches of a waveform that comes in blocks (S,), however long they are.

    Every sample lies in one, but for silence.

    Raises:
        UsageError: see `Lengths.checked`.
    """
    usual, longest = (int(seconds * sample_rate_hz) for seconds in lengths.checked())
    half = int(min(OVERLAP_S * sample_rate_hz, OVERLAP_SHARE * longest) / 2.0)
    pending, begin, overlaps, reached = torch.zeros(0), 0, False, 0
    for block in chain(blocks, [None]):
        pending = pending if block is None else torch.cat([pending, block])
        while len(pending) > (longest if block is not None else 0):
            overlap = 2 * half if overlaps else 0
            end, following = cut(pending[:longest], sample_rate_hz, usual, half, overlap, last=len(pending) <= longest)
            first, last = loud(pending[:end], sample_rate_hz)
            if last > max(0, reached - begin):  # else it is silence, but for what the one before has, too
                yield Stretch(begin + first, pending[first:last].clone(), overlaps)
                reached = begin + last
            pending, begin, overlaps = pending[following:], begin + following, following < end


def cut(waveform: Tensor, sample_rate_hz: int, usual: int, half: int, overlap: int, last: bool) -> tuple[int, int]:
    """Where a stretch ends that begins with `waveform` (S,), and where the next one begins.

    Args:
        usual: samples of a usual stretch.
        half: samples of half an overlap.
        overlap: samples that the stretch before has, too.
        last: nothing follows the waveform, so that it need not be cut, and never is in speech.
    """
    least, most = (overlap + max(2 * half, int(share * usual)) for share in NEAR_USUAL)
    if last and len(waveform) <= most:
        return len(waveform), len(waveform)
    positions, levels = power_db(waveform, sample_rate_hz)
    quiet = levels <= max(float(_db(waveform.square().mean())) - DEPTH_DB, SILENCE_DB)
    latest = len(waveform) - half
    for until in (most, latest):
        inside = (least <= positions) & (positions <= min(until, latest))
        pause = longest_run(quiet[inside].tolist())
        if pause is not None:
            at = int(positions[inside][sum(pause) // 2])
            return at, at
    if last:
        return len(waveform), len(waveform)
    at = int(positions[inside][int(levels[inside].argmin())])
    return at + half, at - half


def power_db(waveform: Tensor, sample_rate_hz: int) -> tuple[Tensor, Tensor]:
    """Places (N,), int64 samples, and the power (N,) of the PAUSE_S around each, in dB of full scale.

    They are FRAME_S apart, and none is nearer than PAUSE_S / 2 to an end of the waveform (S,).
    """
    frame, width = _frame(sample_rate_hz), round(PAUSE_S / FRAME_S)
    whole = len(waveform) // frame
    if whole < width:
        return torch.zeros(0, dtype=torch.int64), torch.zeros(0)
    power = waveform[: whole * frame].view(whole, frame).square().mean(1)
    levels = _db(functional.avg_pool1d(power[None], width, 1)[0])
    return (torch.arange(len(levels)) + width // 2) * frame, levels


def longest_run(quiet: Sequence[bool]) -> tuple[int, int] | None:
    """First and last position of the longest run of True, the latest of equals; None where there is none."""
    best: tuple[int, int] | None = None
    first = 0
    for i, is_quiet in enumerate([*quiet, False]):
        if is_quiet:
            continue
        if i > first and (best is None or i - first > best[1] - best[0]):
            best = first, i - 1
        first = i + 1
    return best


def loud(waveform: Tensor, sample_rate_hz: int, level_db: float = SILENCE_DB) -> tuple[int, int]:
    """Where the first frame of a waveform (S,) louder than `level_db` begins, and the last ends; (0, 0): none is."""
    frame = _frame(sample_rate_hz)
    power = functional.pad(waveform, (0, -len(waveform) % frame)).view(-1, frame).square().mean(1)
    frames = (_db(power) > level_db).nonzero()[:, 0]
    return (int(frames[0]) * frame, min(int(frames[-1]) * frame + frame, len(waveform))) if len(frames) else (0, 0)


def _frame(sample_rate_hz: int) -> int:
    return max(1, int(FRAME_S * sample_rate_hz))


def _db(power: Tensor) -> Tensor:
    return 10.0 * power.clamp(min=1e-12).log10()
