"""Whisper's features (Radford et al. 2023, §2.2): log-mel energies, clamped 80 dB below the loudest."""

from __future__ import annotations

import torch
from torch import Tensor

from lasasr.audio.base import Frontend
from lasasr.audio.slaney import slaney_filters
from lasasr.nn import lengths as length

WINDOW = 400  # samples, 25 ms
SHIFT = 160  # samples, 10 ms
SAMPLE_RATE_HZ = 16_000
FLOOR = 1e-10  # of energies
RANGE = 8.0  # below the loudest energy, as a power of 10


class WhisperLogMelFrontend(Frontend):
    """Waveforms (B, S) → (B, ⌈S / 160⌉, bins) float32, 0 on padding, without gradient.

    Equal to what Whisper makes of the utterance in silence of 30 s, but for the frames after its end, which are left
    out. The loudest energy is the utterance's own.

    Args:
        bins: F, mel filters: 80, in the weights of large-v3 128.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, bins: int = 80) -> None:
        super().__init__(sample_rate_hz=SAMPLE_RATE_HZ, output_dim=bins, frame_shift_ms=1000.0 * SHIFT / SAMPLE_RATE_HZ)
        filters = slaney_filters(SAMPLE_RATE_HZ, WINDOW, bins)
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.register_buffer("filters", filters, persistent=False)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """⌈lengths / 160⌉."""
        return length.ceil_div(lengths, SHIFT)

    @torch.no_grad()
    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """See the contract."""
        with torch.autocast(waveforms.device.type, enabled=False):
            real = length.mask(lengths, waveforms.shape[1])
            samples = torch.where(real, waveforms.float(), 0.0)
            count = -(-waveforms.shape[1] // SHIFT)
            samples = torch.nn.functional.pad(samples, (0, WINDOW + SHIFT))
            samples = torch.cat((samples[:, 1 : WINDOW // 2 + 1].flip(1), samples), 1)  # mirrored at the beginning
            spectrum = torch.fft.rfft(samples.unfold(1, WINDOW, SHIFT)[:, :count] * self.window)
            energies = (spectrum.abs().square() @ self.filters).clamp_(min=FLOOR).log10_()
            frames = self.output_lengths(lengths)
            outside = ~length.mask(frames, count)[..., None]
            loudest = energies.masked_fill(outside, -torch.inf).amax((1, 2), keepdim=True)
            features = (energies.maximum(loudest - RANGE) + 4.0) / 4.0
            return features.masked_fill_(outside, 0.0), frames
