"""Reading audio files of every kind, and refusing the broken ones."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from lasasr.audio.read import opened, read
from lasasr.errors import LasasrError


def tones(rate_hz: int, *frequencies_hz: float) -> np.ndarray:
    """One second, one channel per frequency."""
    time = np.arange(rate_hz) / rate_hz
    return 0.4 * np.stack([np.sin(2 * np.pi * frequency * time) for frequency in frequencies_hz], 1)


def test_eight_khz_stereo_is_averaged_and_resampled(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tones(8000, 500.0, 900.0), 8000)
    waveform = read(tmp_path / "a.wav", 16_000)
    assert waveform.shape == (16_000,)
    assert waveform.dtype == torch.float32
    expected = tones(16_000, 500.0, 900.0).mean(1)
    np.testing.assert_allclose(waveform[200:-200], expected[200:-200], atol=5e-3)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff", "a.nist"])
def test_formats(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / name, tones(16_000, 440.0), 16_000)
    spectrum = torch.fft.rfft(read(str(tmp_path / name), 16_000)[:16_000]).abs()
    assert int(spectrum.argmax()) == 440


def test_sixteen_bits_come_exactly(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-32768, 32768, 500, dtype=np.int16)
    soundfile.write(tmp_path / "a.flac", samples, 16_000)
    assert torch.equal(read(tmp_path / "a.flac", 16_000), torch.from_numpy(samples / np.float32(32768)))


def test_length_after_resampling_is_rounded_up(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(44_101), 44_100)
    assert len(read(tmp_path / "a.wav", 16_000)) == -(-44_101 * 16_000 // 44_100)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(LasasrError, match=r"none\.wav is missing"):
        read(tmp_path / "none.wav", 16_000)


@pytest.mark.parametrize("name", ["text.wav", "text.flac", "text.raw"])
def test_unreadable(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("this is no audio")
    with pytest.raises(LasasrError, match=f"{name} cannot be read") as caught:
        read(tmp_path / name, 16_000)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["none.wav", "none.mp3", "none.flac"])
def test_a_file_of_no_bytes_is_called_empty(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(LasasrError, match=f"{name} is empty: a file of 0 bytes"):
        read(tmp_path / name, 16_000)


def test_no_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    with pytest.raises(LasasrError, match=r"empty\.wav holds no audio"):
        read(tmp_path / "empty.wav", 16_000)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite(tmp_path: Path, value: float) -> None:
    samples = np.zeros(16_000, dtype=np.float32)
    samples[8000] = value
    soundfile.write(tmp_path / "bad.wav", samples, 16_000, subtype="FLOAT")
    with pytest.raises(LasasrError, match=r"bad\.wav holds NaN or infinite samples, the first at 0\.500 s"):
        read(tmp_path / "bad.wav", 16_000)


def test_a_name_that_is_not_utf8_is_refused_by_name(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))
    try:
        path.write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(LasasrError, match="has a name that is not UTF-8: rename it"):
        opened(path)
