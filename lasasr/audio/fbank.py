"""Log-mel filterbank energies, batched over padded waveforms."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lasasr.audio.read import LOWEST_HZ
from lasasr.errors import UsageError
from lasasr.nn import lengths as length

PREEMPHASIS = 0.97
LOW_HZ = 20.0  # lower edge of the first filter; the upper edge of the last is half the sampling rate
FRAMES_AT_ONCE_CPU = 1024  # what stays in a core's cache
FRAMES_AT_ONCE = 65_536  # elsewhere: 128 MiB of windowed frames


class Fbank(nn.Module):
    """Waveforms (B, S) → log-mel energies (B, T, F) as Kaldi's `compute-fbank-feats` defines them.

    Equal to `torchaudio.compliance.kaldi.fbank` of each waveform alone with snip_edges, Povey window, removal of the
    frame's mean, pre-emphasis 0.97, power spectrum, and no dither; energies are floored at float32's epsilon (1.2e-7)
    before the logarithm. Waveforms are taken in [-1, 1] as they are: Kaldi's own tools read 16-bit integers, so that
    their values are higher by the constant 2·ln 32768, which CMVN removes.

    A frame is one whole window, T = 1 + ⌊(S − window) / shift⌋. A waveform shorter than one window is extended by
    silence to one window and gives one frame. Always float32, whatever autocast says, and without gradient.

    Args:
        sample_rate_hz: of the waveforms.
        bins: F, mel filters.
        frame_length_ms: window.
        frame_shift_ms: from one frame to the next.

    Raises:
        UsageError: there are more bins than the window can tell apart.
    """

    window: Tensor
    filters: Tensor

    def __init__(
        self,
        sample_rate_hz: int = 16_000,
        bins: int = 80,
        frame_length_ms: float = 25.0,
        frame_shift_ms: float = 10.0,
    ) -> None:
        super().__init__()
        if sample_rate_hz < LOWEST_HZ:
            raise UsageError(
                f"sample_rate_hz is in hertz, 16000 for 16 kHz, and at least {LOWEST_HZ}: {sample_rate_hz}"
            )
        self.sample_rate_hz = sample_rate_hz
        self.frame_shift_ms = frame_shift_ms
        self.output_dim = bins
        self.window_size = int(sample_rate_hz * frame_length_ms / 1000)
        self.shift = int(sample_rate_hz * frame_shift_ms / 1000)
        self.fft_size = 1 << (self.window_size - 1).bit_length()
        # Povey's window: a Hann window to the power 0.85, zero at both ends
        window = torch.hann_window(self.window_size, periodic=False).pow(0.85)
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("filters", mel_filters(sample_rate_hz, self.fft_size, bins), persistent=False)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Frames (B,) of waveforms with `lengths` (B,) samples; at least 1."""
        return length.convolved(lengths, self.window_size, self.shift, padding=0, least=1)

    @torch.no_grad()
    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, T, F) float32, 0 on padding, and their lengths (B,).

        Args:
            waveforms: (B, S) in [-1, 1]; padding may hold anything.
            lengths: (B,) int64, 1 <= lengths <= S.
        """
        with torch.autocast(waveforms.device.type, enabled=False):
            real = length.mask(lengths, waveforms.shape[1])
            waveforms = torch.where(real, waveforms.float(), 0.0)
            short = max(0, self.window_size - waveforms.shape[1])
            frames = nn.functional.pad(waveforms, (0, short)).unfold(1, self.window_size, self.shift)
            produced = self.output_lengths(lengths)
            features = self._log_mel(frames)
            return features.mul_(length.mask(produced, features.shape[1])[..., None]), produced

    def _log_mel(self, frames: Tensor) -> Tensor:
        """(B, T, window) → (B, T, F), some frames at a time to bound memory."""
        batch, total = frames.shape[:2]
        at_once = max(1, (FRAMES_AT_ONCE_CPU if frames.device.type == "cpu" else FRAMES_AT_ONCE) // batch)
        features = frames.new_empty(batch, total, self.output_dim)
        windowed = frames.new_zeros(batch, min(at_once, total), self.fft_size)
        for start in range(0, total, at_once):
            part = frames[:, start : start + at_once]
            power = self._power(part, windowed[:, : part.shape[1]])
            features[:, start : start + at_once] = power @ self.filters
        return features.clamp_(min=torch.finfo(torch.float32).eps).log_()

    def _power(self, frames: Tensor, windowed: Tensor) -> Tensor:
        """Power spectrum (B, t, fft/2 + 1); `windowed` (B, t, fft) is working space, zero after the window."""
        frames = frames - frames.mean(2, keepdim=True)
        # Two roundings as in Kaldi, not one fused multiply-add: in the quiet bands of real speech the difference
        # between the two exceeds 1e-3. The first value of a frame is never looked at, since the window starts at 0.
        torch.sub(frames[..., 1:], frames[..., :-1] * PREEMPHASIS, out=windowed[..., 1 : self.window_size])
        windowed[..., : self.window_size].mul_(self.window)
        spectrum: Tensor = torch.fft.rfft(windowed)
        return spectrum.abs().square_()


def mel_filters(sample_rate_hz: int, fft_size: int, bins: int) -> Tensor:
    """Triangular filters (fft/2 + 1, F), equally wide on the mel scale 1127·ln(1 + f / 700), as Kaldi places them.

    Raises:
        UsageError: a filter would cover no bin of the spectrum.
    """
    spectrum_hz = torch.arange(fft_size // 2 + 1, dtype=torch.float64) * (sample_rate_hz / fft_size)
    low, high = _mel(torch.tensor([LOW_HZ, sample_rate_hz / 2], dtype=torch.float64))
    edges = low + (high - low) / (bins + 1) * torch.arange(bins + 2, dtype=torch.float64)
    position = _mel(spectrum_hz)[:, None]
    rising = (position - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - position) / (edges[2:] - edges[1:-1])
    filters = torch.minimum(rising, falling).clamp(min=0)
    if not bool((filters > 0).any(0).all()):
        raise UsageError(f"{bins} mel bins at {sample_rate_hz} Hz leave a filter empty; use fewer or a longer window")
    return filters.float()


def _mel(frequency_hz: Tensor) -> Tensor:
    return 1127.0 * torch.log1p(frequency_hz / 700.0)
