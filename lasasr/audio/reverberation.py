"""Rooms: convolution with recorded or simulated impulse responses (Ko et al. 2017)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from lasasr.audio.perturb import draw, recordings
from lasasr.audio.read import decoded, finished, opened
from lasasr.configuration.configurable import configurable
from lasasr.errors import UsageError


@configurable("augment.waveform")
class Reverberation:
    """Put an utterance into a room that is drawn from a folder of impulse responses.

    Length, mean power and the place of the direct sound stay, so that word times, batch budgets and a signal-to-noise
    ratio drawn afterwards keep their meaning; what rings on behind the end is cut off. Of a response of several
    channels the first is taken: their mean would be no room's.

    Args:
        folder: of responses in any format and rate, searched with its subfolders.
        probability: of reverberation of an utterance.
        sample_rate_hz: of the waveforms.

    Raises:
        UsageError: `probability` is out of range.
        LasasrError: the folder is missing or holds no audio.
    """

    def __init__(self, folder: str | Path, probability: float = 0.5, sample_rate_hz: int = 16_000) -> None:
        if not 0.0 <= probability <= 1.0:
            raise UsageError(f"probability must lie in [0, 1], got {probability}")
        self.probability = probability
        self.sample_rate_hz = sample_rate_hz
        self.responses = recordings(folder, "impulse response")

    def __call__(self, waveform: Tensor, generator: torch.Generator) -> Tensor:
        """Reverberate (S,).

        Raises:
            LasasrError: the response that is drawn cannot be read.
        """
        if float(torch.rand((), generator=generator)) >= self.probability:
            return waveform
        return reverberated(waveform, _read(self.responses[draw(len(self.responses), generator)], self.sample_rate_hz))


def reverberated(waveform: Tensor, response: Tensor) -> Tensor:
    """waveform (S,) * response (L,) from the response's greatest value on, at the mean power of `waveform`: (S,)."""
    from scipy.fft import next_fast_len  # of training alone

    samples, direct = len(waveform), int(response.abs().argmax())
    enough = next_fast_len(samples + len(response) - 1, real=True)
    spectrum: Tensor = torch.fft.rfft(waveform, n=enough) * torch.fft.rfft(response, n=enough)
    wet: Tensor = torch.fft.irfft(spectrum, n=enough)[direct : direct + samples]
    before, after = waveform.double().square().mean(), wet.double().square().mean()
    return wet * (before / after).sqrt().to(wet.dtype) if after > 0.0 else waveform


@lru_cache(maxsize=512)
def _read(path: Path, sample_rate_hz: int) -> Tensor:
    with opened(path) as file:
        return finished(decoded(file)[:1], file.samplerate, sample_rate_hz, str(path))
