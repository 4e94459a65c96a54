"""The waveform itself as features, for encoders that begin with a filter bank or convolutions of their own."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from lasasr.audio.base import Frontend
from lasasr.nn import lengths as length

SMALLEST_STD = 1e-5  # of samples in [-1, 1]; digital silence becomes 0 and not infinite


class WaveformFrontend(Frontend):
    """Waveforms (B, S) → (B, S, 1) float32, 0 on padding: one frame per sample.

    Args:
        sample_rate_hz: of the waveforms.
        normalise: whether each utterance is brought to mean 0 and standard deviation 1 over its own samples, as
            wav2vec 2.0's models expect it (Baevski et al. 2020, §2).
    """

    spectral: ClassVar[bool] = False

    def __init__(self, sample_rate_hz: int = 16_000, normalise: bool = True) -> None:
        super().__init__(
            sample_rate_hz=sample_rate_hz,
            output_dim=1,
            frame_shift_ms=1000.0 / sample_rate_hz,
            first_centre_ms=500.0 / sample_rate_hz,
        )
        self.normalise = normalise

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """The samples themselves."""
        return lengths

    @torch.no_grad()
    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S, 1) and `lengths`; see the contract."""
        real = length.mask(lengths, waveforms.shape[1])
        samples = torch.where(real, waveforms.float(), 0.0)
        if self.normalise:
            count = lengths[:, None]
            centred = torch.where(real, samples - samples.sum(1, keepdim=True) / count, 0.0)
            std = (centred.square().sum(1, keepdim=True) / count).sqrt()
            samples = centred / std.clamp(min=SMALLEST_STD)
        return samples[..., None], lengths
