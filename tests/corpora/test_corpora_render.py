"""The signal processing of the renderer, against the functions of time and frequency that it approximates."""

import numpy as np
import pytest
from scipy.signal import welch

from lasasr.corpora.render import _noise, _resampled


def tone(hz, rate, seconds):
    """A sine that swells and fades, as a function of time."""
    time_s = np.arange(int(seconds * rate)) / rate
    return (0.5 - 0.5 * np.cos(2 * np.pi * time_s / seconds)) * np.sin(2 * np.pi * hz * time_s)


@pytest.mark.parametrize("hz", [100.0, 1000.0, 7000.0])
@pytest.mark.parametrize("seconds", [1.0, 0.37])
def test_resampling_gives_the_same_function_of_time(hz, seconds):
    resampled, expected = _resampled(tone(hz, 22050, seconds), 22050), tone(hz, 16000, seconds)
    assert len(expected) <= len(resampled) <= len(expected) + 1
    assert np.abs(resampled[: len(expected)] - expected).max() < 1e-4


def test_resampling_removes_what_does_not_fit():
    assert np.abs(_resampled(tone(9000.0, 22050, 1.0), 22050)).max() < 1e-6


@pytest.mark.parametrize(("pink", "db_per_octave"), [(False, 0.0), (True, -3.0)])
def test_noise(pink, db_per_octave):
    noise = _noise(160_001, pink, np.random.default_rng(0))
    assert noise.shape == (160_001,)
    assert np.mean(noise**2) == pytest.approx(1.0)
    hz, power = welch(noise, 16000, nperseg=4096)
    octaves = [10 * np.log10(power[(hz >= low) & (hz < 2 * low)].mean()) for low in (250, 500, 1000, 2000, 4000)]
    assert np.diff(octaves) == pytest.approx(db_per_octave, abs=0.5)
