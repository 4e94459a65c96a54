"""The fbank front end as operations that ONNX has: frames by indices, the spectrum as a product with a DFT matrix."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from lasasr.audio.fbank import PREEMPHASIS
from lasasr.audio.fbank_frontend import FbankFrontend
from lasasr.nn import lengths as length


class FeatureGraph(nn.Module):
    """Waveforms (B, S) and lengths (B,) → features (B, T, F) and lengths (B,), as `FbankFrontend` has them.

    The spectrum is computed in float64: sums over a whole window in float32 change the quiet bands of speech.

    Args:
        frontend: whose features these are.
    """

    window: Tensor
    filters: Tensor
    cosines: Tensor
    sines: Tensor

    def __init__(self, frontend: FbankFrontend) -> None:
        super().__init__()
        fbank = frontend.fbank
        self.size, self.shift, self.cmvn = fbank.window_size, fbank.shift, frontend.cmvn
        self.register_buffer("window", fbank.window)
        self.register_buffer("filters", fbank.filters)
        samples = torch.arange(self.size, dtype=torch.float64)[:, None]
        turns = torch.arange(fbank.fft_size // 2 + 1, dtype=torch.float64) * (2.0 * math.pi / fbank.fft_size)
        self.register_buffer("cosines", torch.cos(samples * turns))
        self.register_buffer("sines", torch.sin(samples * turns))

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """See the class; padding may hold anything."""
        real = length.mask(lengths, waveforms.shape[1])
        samples = nn.functional.pad(torch.where(real, waveforms, 0.0), (0, self.size))
        produced = torch.div((lengths - self.size).clamp(min=0), self.shift, rounding_mode="floor") + 1
        most: Any = produced.max()  # a tensor: as a number it would be a constant of the graph
        frames = samples[:, torch.arange(most)[:, None] * self.shift + torch.arange(self.size)]
        features = self._log_mel(frames - frames.mean(2, keepdim=True))
        if self.cmvn is None:
            return features * length.mask(produced, features.shape[1])[..., None], produced
        return self.cmvn(features, produced), produced

    def _log_mel(self, frames: Tensor) -> Tensor:
        """(B, T, window) without their means → (B, T, F)."""
        before = nn.functional.pad(frames[..., :-1], (1, 0))  # the first is not looked at: window is 0
        windowed = ((frames - before * PREEMPHASIS) * self.window).double()
        power = (windowed @ self.cosines).square() + (windowed @ self.sines).square()
        return (power.float() @ self.filters).clamp(min=torch.finfo(torch.float32).eps).log()
