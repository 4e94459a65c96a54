"""Filterbank energies beside two other implementations of Kaldi's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from lasasr.audio.fbank import Fbank
from parity.check import Check, NotReproduced

# In a quiet band float32 leaves what rounding loud ones has left, and the logarithm magnifies it: three implementations
# in float32 are as far from each other as each is from the same in float64.
MOST = 5e-3
LENGTHS_S = (2.0, 0.7, 0.03)


def checks() -> list[Check | NotReproduced]:
    """Three waveforms in one padded batch, against each alone."""
    notes = {"NumPy": "the definition in float64, frame by frame"}
    note = "chirp, noise and near silence; natural logarithms of float32"
    return [
        Check(f"fbank, {rate} Hz, {bins} bins", peer, partial(_apart, theirs, rate, bins), notes.get(peer, note), MOST)
        for peer, theirs in (("kaldi-native-fbank", _native), ("torchaudio", _torchaudio), ("NumPy", _float64))
        for rate, bins in ((16_000, 80), (8_000, 40))
    ]


def _waveforms(rate: int) -> list[Tensor]:
    """A chirp with a little noise, noise, and noise of a few steps of 16 bits."""
    seconds = [torch.arange(int(rate * length)) / rate for length in LENGTHS_S]
    chirp = 0.5 * torch.sin(2 * torch.pi * (100 + 700 * seconds[0]) * seconds[0])
    noise = [torch.randn(len(times)) for times in seconds]
    return [chirp + 0.01 * noise[0], 0.1 * noise[1], 1e-4 * noise[2]]


def _native(waveform: Tensor, rate: int, bins: int) -> Tensor:
    import kaldi_native_fbank

    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0.0
    options.frame_opts.samp_freq = rate
    options.mel_opts.num_bins = bins
    computer = kaldi_native_fbank.OnlineFbank(options)
    computer.accept_waveform(rate, waveform.tolist())
    computer.input_finished()
    frames = [computer.get_frame(frame) for frame in range(computer.num_frames_ready)]
    return torch.from_numpy(np.stack(frames))


def _torchaudio(waveform: Tensor, rate: int, bins: int) -> Tensor:
    from torchaudio.compliance import kaldi

    features: Tensor = kaldi.fbank(waveform[None], sample_frequency=rate, num_mel_bins=bins, dither=0.0)
    return features


def _float64(waveform: Tensor, rate: int, bins: int) -> Tensor:
    size, shift, fft = rate // 40, rate // 100, 1 << (rate // 40 - 1).bit_length()
    window = np.hanning(size) ** 0.85
    mel = 1127.0 * np.log1p(np.arange(fft // 2 + 1) * rate / fft / 700.0)
    edges = np.linspace(1127.0 * np.log1p(20.0 / 700.0), 1127.0 * np.log1p(rate / 2 / 700.0), bins + 2)
    filters = np.array([np.interp(mel, edges[m : m + 3], (0.0, 1.0, 0.0), 0.0, 0.0) for m in range(bins)])
    samples, rows = waveform.double().numpy(), []
    for start in range(0, len(samples) - size + 1, shift):
        frame = samples[start : start + size] - samples[start : start + size].mean()
        frame = frame - 0.97 * np.concatenate([frame[:1], frame[:-1]])
        power = np.abs(np.fft.rfft(frame * window, fft)) ** 2
        rows.append(np.log(np.maximum(filters @ power, np.finfo(np.float32).eps)))
    return torch.from_numpy(np.array(rows))


def _apart(theirs: Callable[[Tensor, int, int], Tensor], rate: int, bins: int) -> float:
    waveforms = _waveforms(rate)
    lengths = torch.tensor([len(waveform) for waveform in waveforms])
    features, frames = Fbank(rate, bins)(torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True), lengths)
    largest = 0.0
    for row, count, waveform in zip(features, frames.tolist(), waveforms, strict=True):
        expected = theirs(waveform, rate, bins)
        if len(expected) != count:
            raise ValueError(f"{count} frames here, {len(expected)} there")
        largest = max(largest, float((row[:count] - expected).abs().max()))
    return largest
