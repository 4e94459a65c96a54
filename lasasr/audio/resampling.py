"""Any sampling rate to any other, by windowed-sinc interpolation, in time and memory that grow with the samples alone.

Every output sample is a sum over the input samples within six zero crossings of a sinc under a Hann window (Smith 2002,
"Digital Audio Resampling Home Page"; the definition and the numbers are torchaudio's). For two rates with a large
common divisor the weights repeat after a few samples: a convolution with all of them. Its kernel holds
from · to / gcd² weights, 256 million for 16,001 Hz; such rates get their weights one output sample at a time.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

ZERO_CROSSINGS = 6  # of the sinc, to either side
ROLLOFF = 0.99  # of the lower Nyquist frequency: where the passband ends
MOST_WEIGHTS = 1 << 20  # of a kernel that is kept: 11,025 to 16,000 Hz has 0.3 million, every common pair less than 0.5
_AT_ONCE = 1 << 18  # weights computed at once: 2 MiB each of phases, windows, samples


def resample(waveform: Tensor, from_hz: int, to_hz: int) -> Tensor:
    """Resample (S,) to ⌈S · to_hz / from_hz⌉ samples."""
    divisor = math.gcd(from_hz, to_hz)
    old, new = from_hz // divisor, to_hz // divisor
    if old == new:
        return waveform
    if new * (old + 2 * reach(old, new)) > MOST_WEIGHTS:
        return interpolated(waveform, old, new)
    return _convolved(waveform, old, new)


def reach(old: int, new: int) -> int:
    """How many samples to either side of a place contribute to what is interpolated there."""
    return math.ceil(ZERO_CROSSINGS * old / (min(old, new) * ROLLOFF))


def interpolated(waveform: Tensor, old: int, new: int) -> Tensor:
    """What `resample` computes with a kernel, for any two rates old : new without a common divisor."""
    if len(waveform) == 0:
        return waveform
    length, width = -(-len(waveform) * new // old), reach(old, new)
    padded = torch.nn.functional.pad(waveform.double(), (width, width + 1))
    windows = padded.unfold(0, 2 * width + 2, 1)  # (S, taps), a view: row i begins `width` samples before sample i
    offsets = torch.arange(-width, width + 2, dtype=torch.float64)
    resampled = torch.empty(length, dtype=waveform.dtype)
    rows = max(1, _AT_ONCE // len(offsets))
    for begin in range(0, length, rows):
        place = torch.arange(begin, min(begin + rows, length)) * old  # in 1/new of an input sample: exact
        nearest = place // new
        distance = offsets - ((place - nearest * new).double() / new)[:, None]
        weighted = windows[nearest] * _weights(distance, min(old, new) * ROLLOFF / old)
        resampled[begin : begin + rows] = weighted.sum(1)
    return resampled


def _weights(distance: Tensor, cutoff: float) -> Tensor:
    """Windowed sinc at distances in input samples; `cutoff` in half cycles per input sample."""
    crossings = (distance * cutoff).clamp(-ZERO_CROSSINGS, ZERO_CROSSINGS)
    window = torch.cos(crossings * (math.pi / ZERO_CROSSINGS / 2)) ** 2
    return torch.sinc(crossings) * window * cutoff


def _convolved(waveform: Tensor, old: int, new: int) -> Tensor:
    """Each step of `old` input samples gives `new` output samples, whose weights are those of every other step."""
    width = reach(old, new)
    padded = torch.nn.functional.pad(waveform, (width, width + old))
    phases = torch.nn.functional.conv1d(padded[None, None], _kernel(old, new).to(waveform), stride=old)
    return phases[0].T.reshape(-1)[: -(-len(waveform) * new // old)]


@lru_cache(maxsize=16)  # a kernel costs more than a short waveform's resampling
def _kernel(old: int, new: int) -> Tensor:
    """The weights (new, 1, old + 2 · reach) of one step; phases are rounded to float32, as torchaudio rounds them."""
    width = reach(old, new)
    offsets = torch.arange(-width, width + old, dtype=torch.float64) / old
    phases = -(torch.arange(new, dtype=torch.float32) / new)
    cutoff = min(old, new) * ROLLOFF
    crossings = ((phases[:, None] + offsets) * cutoff).clamp(-ZERO_CROSSINGS, ZERO_CROSSINGS)
    window = torch.cos(crossings * math.pi / ZERO_CROSSINGS / 2) ** 2
    angles = crossings * math.pi
    sinc = torch.where(angles == 0, 1.0, angles.sin() / angles)
    return (sinc * (window * (cutoff / old))).float()[:, None]
