"""Any rate to any other: as independent resamplers do it, and in time and memory that follow the samples."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.signal import resample_poly
from torchaudio_reference import torchaudio

from lasasr.audio.resampling import MOST_WEIGHTS, interpolated, reach, resample

COMMON_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000)


@pytest.mark.parametrize("from_hz", COMMON_HZ)
@pytest.mark.parametrize("to_hz", [8_000, 16_000])
def test_common_rates_are_torchaudios_to_the_bit(from_hz: int, to_hz: int) -> None:
    waveform = torch.randn(4_001, generator=torch.Generator().manual_seed(1))
    expected = waveform if from_hz == to_hz else torchaudio().transforms.Resample(from_hz, to_hz)(waveform)
    assert torch.equal(resample(waveform, from_hz, to_hz), expected)


@pytest.mark.parametrize(("old", "new"), [(441, 640), (441, 160), (3, 1), (1, 3), (10, 9)])
def test_interpolation_is_the_convolution(old: int, new: int) -> None:
    waveform = torch.randn(5_003, generator=torch.Generator().manual_seed(2))
    expected = torchaudio().transforms.Resample(old, new)(waveform)
    found = interpolated(waveform, old, new)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0.0)  # torchaudio rounds phases to float32


@pytest.mark.parametrize("from_hz", [1_009, 7_999, 15_999, 16_001, 44_101, 47_999])
def test_odd_rates_are_those_of_another_resampler(from_hz: int) -> None:
    divisor = math.gcd(from_hz, 16_000)
    assert 16_000 // divisor * (from_hz // divisor + 2 * reach(from_hz, 16_000)) > MOST_WEIGHTS
    time = np.arange(from_hz) / from_hz
    signal = sum(np.sin(2 * np.pi * hz * time + hz) for hz in (97.0, 211.0, 389.0))
    found = resample(torch.tensor(signal, dtype=torch.float32), from_hz, 16_000).numpy()
    expected = resample_poly(signal, 16_000, from_hz)
    assert len(found) == len(expected) == 16_000
    assert np.corrcoef(found, expected)[0, 1] > 0.999


def test_what_is_above_the_lower_nyquist_frequency_is_gone() -> None:
    time = np.arange(96_001) / 96_001
    high = torch.tensor(np.sin(2 * np.pi * 12_000 * time), dtype=torch.float32)
    assert resample(high, 96_001, 16_000)[200:-200].abs().max() < 0.01


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units")
def test_memory_is_that_of_the_samples() -> None:
    """A kernel for these two rates would hold 37 billion weights."""
    code = (
        "import resource, torch; from lasasr.audio.resampling import resample;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "assert len(resample(torch.zeros(4_000), 383_999, 16_000)) == 167;"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) < 100_000  # KiB


def test_nothing_stays_nothing() -> None:
    assert len(resample(torch.zeros(0), 16_001, 16_000)) == 0
    assert len(resample(torch.ones(1), 16_001, 16_000)) == 1
