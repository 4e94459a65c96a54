"""Does a waveform hold anything that could be speech? Told by its level, and by how little that changes.

Three kinds hold nothing. Digital silence: all samples are the same. Quiet: no frame of 10 ms is louder than 65 dB below
full scale, as in `pauses`. Steady noise: of half a second or more, in which the power of 0.2 s rises and falls by less
than 4 dB in half of nine frequency bands, and by less than 10 dB in the others.

Of 1,500 recordings of LibriSpeech and speechocean762 none is taken for noise: their power changes by 12 to 50 dB.
Nor is one of 300 under white noise of three times their power (of ten times: 52). White, pink and brown noise, hum and
tones are recognized. Noise that comes and goes (rain, a dog, music) is not, nor is steady noise shorter
than half a second; a vowel that is held for the whole recording would be taken for it.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from lasasr.audio.pauses import PAUSE_S, loud

SHORTEST_S = 0.5  # in less the power of noise has no time to show that it does not change
MEDIAN_DB, LARGEST_DB = 4.0, 10.0  # between highest and lowest power: of noise up to 3.1 and 7.8 in 30 s, of speech 31
LONGEST_S = 60.0  # of what is examined: the range of noise grows with the number of values
_FRAME_S = 0.032
_EDGES_HZ = (100, 200, 400, 800, 1200, 1800, 2600, 3700, 5200, 7500)  # of bands with some octaves of speech in them
_SILENT = 1e-4  # of the power of the loudest band: what is weaker cannot be heard beside it


def is_digital_silence(waveform: Tensor) -> bool:
    """Whether all samples (S,) are the same."""
    return bool((waveform == waveform[:1]).all())


def holds_nothing(waveform: Tensor, sample_rate_hz: int) -> bool:
    """Whether a waveform (S,) is silence or steady noise."""
    if is_digital_silence(waveform):
        return True
    centred = waveform - waveform.mean()
    return loud(centred, sample_rate_hz) == (0, 0) or is_steady(centred, sample_rate_hz)


def is_steady(waveform: Tensor, sample_rate_hz: int) -> bool:
    """Whether the power of a waveform (S,) hardly changes; never, where it is too short or too long to say."""
    if not SHORTEST_S <= len(waveform) / sample_rate_hz <= LONGEST_S:
        return False
    ranges = power_ranges_db(waveform, sample_rate_hz)
    return bool(ranges.median() < MEDIAN_DB) and bool(ranges.max() < LARGEST_DB)


def power_ranges_db(waveform: Tensor, sample_rate_hz: int) -> Tensor:
    """Between the highest and the lowest power of PAUSE_S, dB, in each band (N,) below half the sampling rate."""
    size = max(2, int(_FRAME_S * sample_rate_hz))
    window = torch.hann_window(size, device=waveform.device)
    spectrum = torch.stft(waveform, size, size // 2, window=window, center=False, return_complex=True).abs().square()
    frequency = torch.arange(len(spectrum), device=waveform.device) * (sample_rate_hz / size)
    chosen = [(low <= frequency) & (frequency < high) for low, high in pairwise(_EDGES_HZ)]
    bands = torch.stack([spectrum[rows].mean(0) for rows in chosen if bool(rows.any())])  # (N, frames)
    frames = min(bands.shape[1], round(PAUSE_S / _FRAME_S * 2))
    power = torch.nn.functional.avg_pool1d(bands, frames, 1)
    decibels = 10.0 * (power + _SILENT * power.mean(1).max()).log10()
    return decibels.amax(1) - decibels.amin(1)
