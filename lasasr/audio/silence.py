"""Does a waveform hold anything that could be speech? Told by its level, and by how little that changes.

Three kinds hold nothing. Digital silence: all samples are the same. Steady noise: of half a second or more, in which
the power of 0.2 s rises and falls by less than 6 dB in each of five frequency bands, whatever the level. Quiet: of less
than half a second, in which no frame of 10 ms is louder than 65 dB below full scale. (`pauses` takes what is so quiet
for silence in any long recording.)

In recordings of LibriSpeech and speechocean762 it rises and falls by 33 dB or more in one of the bands; under white
noise of their own power by 10, of three times that by 6.4. In white, pink and brown noise of up to a minute it does by
5.4 at most, in hum and tones by less. Noise that comes and goes (a dog, music, most rain) is not recognized by this,
nor is steady noise shorter than half a second; a vowel that is held for the whole recording is taken for it.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from lasasr.audio.pauses import PAUSE_S, loud

NEARLY_DIGITAL_DB = -85.0  # of full scale: two steps of 16 bits; quiet rooms lie above it, muted microphones below
SILENT_END_S = 0.2  # shorter ends are left: corpora have them, as padding around rendered speech
SHORTEST_S = 0.5  # in less the power of noise has no time to show that it does not change
STEADY_DB = 6.0  # between the highest and the lowest power in a band
LONGEST_S = 60.0  # of what is examined: the range of noise grows with the number of values
_FRAME_S = 0.032
_EDGES_HZ = (100, 400, 1000, 2000, 3700, 7500)  # of bands wide enough that the power of noise is even in 0.2 s
_SILENT = 1e-4  # of the power of the loudest band: what is weaker cannot be heard beside it


def is_digital_silence(waveform: Tensor) -> bool:
    """Whether all samples (S,) are the same."""
    return bool((waveform == waveform[:1]).all())


def holds_nothing(waveform: Tensor, sample_rate_hz: int) -> bool:
    """Whether a waveform (S,) is silence or steady noise."""
    if is_digital_silence(waveform):
        return True
    centred = waveform - waveform.mean()
    if len(waveform) < SHORTEST_S * sample_rate_hz:
        return loud(centred, sample_rate_hz) == (0, 0)
    return is_steady(centred, sample_rate_hz)


def without_silent_ends(waveform: Tensor, sample_rate_hz: int) -> tuple[int, Tensor]:
    """A waveform (S,) without nearly digital silence of SILENT_END_S or more at its ends, and its first sample in it.

    Microphones that start, muted channels and edited audio have such ends, and few utterances of training do.
    One that is silent throughout stays as it is.
    """
    first, last = loud(waveform, sample_rate_hz, NEARLY_DIGITAL_DB)
    least = SILENT_END_S * sample_rate_hz
    if first == last:
        return 0, waveform
    first, last = first if first >= least else 0, last if len(waveform) - last >= least else len(waveform)
    return first, waveform[first:last]


def is_steady(waveform: Tensor, sample_rate_hz: int) -> bool:
    """Whether the power of a waveform (S,) hardly changes; never, where it is too short or too long to say."""
    if not SHORTEST_S <= len(waveform) / sample_rate_hz <= LONGEST_S:
        return False
    return bool(power_ranges_db(waveform, sample_rate_hz).max() < STEADY_DB)


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


def digital_silence(waveforms: Tensor, lengths: Tensor) -> list[bool]:
    """Of which of (B, S), that have (B,) samples, all samples are the same."""
    padding = torch.arange(waveforms.shape[1], device=waveforms.device) >= lengths[:, None].to(waveforms.device)
    same: list[bool] = ((waveforms == waveforms[:, :1]) | padding).all(1).tolist()
    return same
