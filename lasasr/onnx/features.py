"""Log-mel filterbank energies in numpy, as `lasasr.audio.fbank` has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
PREEMPHASIS, LOW_HZ = 0.97, 20.0
SMALLEST_STD = 1e-3


class Features:
    """Waveform (S,) → features (T, F).

    Args:
        frontend: of metadata.json.
    """

    def __init__(self, frontend: Mapping[str, Any]) -> None:
        self.window_size, self.shift = int(frontend["window"]), int(frontend["shift"])
        self.sample_rate_hz, self.cmvn = int(frontend["sample_rate_hz"]), str(frontend["cmvn"])
        self.fft_size = 1 << (self.window_size - 1).bit_length()
        hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(self.window_size) / (self.window_size - 1))
        self.window = (hann**0.85).astype(np.float32)
        self.filters = mel_filters(self.sample_rate_hz, self.fft_size, int(frontend["bins"]))
        self.mean = np.array(frontend.get("mean", 0.0), dtype=np.float32)
        self.std = np.array(frontend.get("std", 1.0), dtype=np.float32)

    def __call__(self, waveform: Floats) -> Floats:
        """Features; a waveform shorter than one window gives one frame."""
        padded = np.pad(waveform.astype(np.float32), (0, max(0, self.window_size - len(waveform))))
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.window_size)[:: self.shift]
        frames = frames - frames.mean(1, keepdims=True)
        emphasised = np.zeros_like(frames)  # the first value is never looked at: the window starts at 0
        emphasised[:, 1:] = frames[:, 1:] - frames[:, :-1] * np.float32(PREEMPHASIS)
        spectrum = np.fft.rfft(emphasised * self.window, self.fft_size)
        power = (np.abs(spectrum) ** 2).astype(np.float32)
        log_mel = np.log(np.maximum(power @ self.filters, np.finfo(np.float32).eps))
        return self._normalised(log_mel.astype(np.float32))

    def _normalised(self, features: Floats) -> Floats:
        if self.cmvn == "utterance":
            mean = features.mean(0, dtype=np.float64)
            std = np.maximum(features.std(0, dtype=np.float64), SMALLEST_STD)
            return np.asarray((features - mean) / std, dtype=np.float32)
        return np.asarray((features - self.mean) / self.std) if self.cmvn == "global" else features


def mel_filters(sample_rate_hz: int, fft_size: int, bins: int) -> Floats:
    """Triangular filters (fft/2 + 1, F), equally wide on the mel scale."""
    spectrum_hz = np.arange(fft_size // 2 + 1) * (sample_rate_hz / fft_size)
    low, high = _mel(np.array([LOW_HZ, sample_rate_hz / 2]))
    edges = low + (high - low) / (bins + 1) * np.arange(bins + 2)
    position = _mel(spectrum_hz)[:, None]
    rising = (position - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - position) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(np.minimum(rising, falling), 0.0), dtype=np.float32)


def _mel(frequency_hz: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(frequency_hz / 700.0))
