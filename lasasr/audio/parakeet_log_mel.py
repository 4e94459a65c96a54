"""The log-mel energies of NVIDIA's Parakeet, 25 ms every 10 ms."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lasasr.audio.base import Frontend
from lasasr.audio.normalised import normalised
from lasasr.audio.slaney import slaney_filters
from lasasr.nn import lengths as length

SAMPLE_RATE_HZ = 16_000
FFT = 512
WINDOW = 400  # samples, in the middle of those of the Fourier transform
SHIFT = 160
PREEMPHASIS = 0.97
FLOOR = 2.0**-24  # added to energies
LEAST_STD = 1e-5


class ParakeetLogMelFrontend(Frontend):
    """Waveforms (B, S) → (B, ⌊S / 160⌋, bins) float32, 0 on padding, without gradient; at least one frame.

    Each bin is normalised over the utterance.

    Args:
        bins: F, mel filters: 80, or 128.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, bins: int = 80) -> None:
        super().__init__(sample_rate_hz=SAMPLE_RATE_HZ, output_dim=bins, frame_shift_ms=10.0)
        filters = slaney_filters(SAMPLE_RATE_HZ, FFT, bins)
        window = functional.pad(torch.hann_window(WINDOW, periodic=False), ((FFT - WINDOW) // 2,) * 2)
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("filters", filters, persistent=False)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """⌊lengths / 160⌋, at least 1."""
        return length.convolved(lengths, SHIFT, SHIFT, padding=0, least=1)

    @torch.no_grad()
    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """See the contract."""
        with torch.autocast(waveforms.device.type, enabled=False):
            real = length.mask(lengths, waveforms.shape[1])
            samples = torch.where(real, waveforms.float(), 0.0)
            emphasised = torch.cat((samples[:, :1], samples[:, 1:] - PREEMPHASIS * samples[:, :-1]), 1) * real
            count = max(1, waveforms.shape[1] // SHIFT)
            windows = functional.pad(emphasised, (FFT // 2, FFT)).unfold(1, FFT, SHIFT)[:, :count]
            energies = torch.fft.rfft(windows * self.window).abs().square() @ self.filters
            frames = self.output_lengths(lengths)
            return normalised((energies + FLOOR).log(), frames, beside_root=LEAST_STD), frames
