"""Fbank against torchaudio's Kaldi port, waveform by waveform."""

import os
from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor
from torchaudio_reference import torchaudio

from lasasr.audio import fbank
from lasasr.audio.fbank import Fbank
from lasasr.errors import UsageError


def speechlike(samples: int, seed: int) -> Tensor:
    """Tones over a noise floor 60 dB below, with an offset: loud and quiet bands side by side."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(samples) / 16_000
    tones = sum(torch.sin(6.2832 * f * time) for f in (130.0, 260.0, 1900.0))
    return 0.1 * tones + 1e-4 * torch.randn(samples, generator=generator) + 0.02


def padded(waveforms: list[Tensor], filling: float) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(waveform) for waveform in waveforms])
    batch = torch.full((len(waveforms), int(lengths.max())), filling)
    for row, waveform in zip(batch, waveforms, strict=True):
        row[: len(waveform)] = waveform
    return batch, lengths


@pytest.mark.parametrize("filling", [0.0, 3.0, float("nan")])
def test_equals_kaldi_for_each_waveform_alone(filling: float) -> None:
    waveforms = [speechlike(samples, samples) for samples in (400, 559, 560, 561, 4000, 23_457, 16_000)]
    features, lengths = Fbank()(*padded(waveforms, filling))
    for row, length, waveform in zip(features, lengths, waveforms, strict=True):
        expected = torchaudio().compliance.kaldi.fbank(waveform[None], num_mel_bins=80)
        assert len(expected) == length
        torch.testing.assert_close(row[:length], expected, atol=1e-3, rtol=0)
        assert bool((row[length:] == 0).all())


def test_equals_kaldi_with_other_options() -> None:
    waveform = speechlike(9000, 1)[None]
    features, _ = Fbank(8000, bins=23, frame_length_ms=32, frame_shift_ms=12.5)(waveform, torch.tensor([9000]))
    options = {"sample_frequency": 8000.0, "frame_length": 32.0, "frame_shift": 12.5}
    torch.testing.assert_close(
        features[0], torchaudio().compliance.kaldi.fbank(waveform, num_mel_bins=23, **options), atol=1e-3, rtol=0
    )


def test_equals_kaldi_on_real_speech() -> None:
    paths = sorted(Path(os.environ.get("LASASR_DATA", "/nowhere")).glob("LibriSpeech/*/*/*/*.flac"))[::150]
    if not paths:
        pytest.skip("no real speech")
    waveforms = [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in paths]
    features, lengths = Fbank()(*padded(waveforms, 0.0))
    for row, length, waveform in zip(features, lengths, waveforms, strict=True):
        expected = torchaudio().compliance.kaldi.fbank(waveform[None], num_mel_bins=80)
        torch.testing.assert_close(row[:length], expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("samples", [1, 320, 399])
def test_short_waveform_is_one_window_with_silence_after(samples: int) -> None:
    waveform = speechlike(samples, 2)
    window = torch.zeros(1, 400)
    window[0, :samples] = waveform
    for filling in (0.0, 5.0):
        features, lengths = Fbank()(*padded([waveform, speechlike(2000, 3)], filling))
        assert int(lengths[0]) == 1
        torch.testing.assert_close(
            features[0, :1], torchaudio().compliance.kaldi.fbank(window, num_mel_bins=80), atol=1e-3, rtol=0
        )
    assert Fbank()(waveform[None], torch.tensor([samples]))[0].shape == (1, 1, 80)


def test_lengths_are_the_frames_produced() -> None:
    module = Fbank(bins=8)
    for samples in (1, 100, *range(395, 405), *range(555, 565), *range(715, 725)):
        features, lengths = module(torch.ones(1, samples), torch.tensor([samples]))
        assert features.shape[1] == int(lengths) == int(module.output_lengths(torch.tensor(samples)))


def test_silence_stands_at_the_floor() -> None:
    features, _ = Fbank()(torch.zeros(1, 800), torch.tensor([800]))
    torch.testing.assert_close(features, torch.full_like(features, 1.1920929e-07).log())


def test_float32_and_the_same_under_autocast() -> None:
    waveform, length = speechlike(3000, 4)[None], torch.tensor([3000])
    expected = Fbank()(waveform, length)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = Fbank()(waveform, length)[0]
    assert features.dtype == torch.float32
    assert torch.equal(features, expected)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = padded([speechlike(5000, 5), speechlike(3000, 6)], 0.0)
    whole = Fbank()(*batch)[0]
    monkeypatch.setattr(fbank, "FRAMES_AT_ONCE_CPU", 7)
    torch.testing.assert_close(Fbank()(*batch)[0], whole, atol=1e-5, rtol=0)


def test_too_many_bins_are_refused() -> None:
    with pytest.raises(UsageError, match="128 mel bins"):
        Fbank(bins=128)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_equals_kaldi_on_the_device() -> None:
    waveforms = [speechlike(samples, samples).cuda() for samples in (320, 4000, 23_457)]
    batch, lengths = padded([waveform.cpu() for waveform in waveforms], 0.0)
    features, produced = Fbank().cuda()(batch.cuda(), lengths.cuda())
    for row, length, waveform in zip(features[1:], produced[1:], waveforms[1:], strict=True):
        torch.testing.assert_close(
            row[:length], torchaudio().compliance.kaldi.fbank(waveform[None], num_mel_bins=80), atol=1e-3, rtol=0
        )
