"""Pairs of Kaldi's log-mel frames side by side: the features of w2v-BERT 2.0."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lasasr.audio.base import Frontend
from lasasr.audio.fbank import Fbank
from lasasr.audio.normalised import normalised
from lasasr.nn import lengths as length

SAMPLE_RATE_HZ = 16_000
BINS = 80
FULL_SCALE = 2.0**15  # Kaldi reads 16-bit integers
FLOOR = 1e-7  # of the variance


class StackedFbankFrontend(Frontend):
    """Waveforms (B, S) → (B, ⌊T / 2⌋, 160) float32, 0 on padding, without gradient; at least one frame.

    T are frames of 25 ms every 10 ms, each of whose bins is normalised over the utterance. An odd last frame is left
    out, unless it is the only one.
    """

    def __init__(self) -> None:
        super().__init__(sample_rate_hz=SAMPLE_RATE_HZ, output_dim=2 * BINS, frame_shift_ms=20.0, first_centre_ms=17.5)
        self.fbank = Fbank(SAMPLE_RATE_HZ, BINS)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """⌊T / 2⌋, at least 1."""
        return length.convolved(self.fbank.output_lengths(lengths), 2, 2, padding=0, least=1)

    @torch.no_grad()
    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """See the contract."""
        with torch.autocast(waveforms.device.type, enabled=False):
            features, frames = self.fbank(waveforms.float() * FULL_SCALE, lengths)
            features = normalised(features, frames, in_root=FLOOR)
            frames_of_batch = features.shape[1]
            features = functional.pad(features, (0, 0, 0, features.shape[1] % 2))
            pairs = features.reshape(len(features), -1, 2 * BINS)
            produced = self.output_lengths(lengths)
            pairs = pairs[:, : max(1, frames_of_batch // 2)]
            return pairs * length.mask(produced, pairs.shape[1])[..., None], produced
