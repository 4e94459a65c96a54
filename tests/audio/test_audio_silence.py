"""What holds nothing: digital silence, quiet, steady noise. What holds something: anything that comes and goes."""

import pytest
import torch
from torch import Tensor

from lasasr.audio.perturb import COLOURS, coloured, mixed
from lasasr.audio.silence import holds_nothing, is_digital_silence, is_steady

RATE = 16_000


def syllables(seconds: float, rate: int = RATE) -> Tensor:
    """A hum with three partials, three times a second."""
    time = torch.arange(int(seconds * rate)) / rate
    envelope = (torch.sin(2 * torch.pi * 1.5 * time) ** 2).clamp(min=0.05)
    return 0.1 * envelope * sum(torch.sin(2 * torch.pi * hz * time) for hz in (140.0, 700.0, 1900.0))


@pytest.mark.parametrize("level", [0.0, 0.25, -1.0])
@pytest.mark.parametrize("samples", [1, 160, 16_000])
def test_digital_silence_of_any_level_and_length(level: float, samples: int) -> None:
    waveform = torch.full((samples,), level)
    assert is_digital_silence(waveform)
    assert holds_nothing(waveform, RATE)


@pytest.mark.parametrize("seconds", [0.1, 1.0, 5.0])
def test_noise_below_65_db_is_silence(seconds: float) -> None:
    noise = coloured(int(seconds * RATE), 0.0, torch.Generator().manual_seed(0))
    assert holds_nothing(noise * 10.0 ** (-70 / 20), RATE)
    assert holds_nothing(0.3 + noise * 10.0 ** (-70 / 20), RATE)  # an offset is not heard


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("seconds", [0.5, 1.0, 4.0, 30.0])
@pytest.mark.parametrize("rate", [8_000, RATE])
def test_steady_noise_at_any_level(colour: str, seconds: float, rate: int) -> None:
    for seed in range(5):
        noise = coloured(int(seconds * rate), COLOURS[colour], torch.Generator().manual_seed(seed))
        assert holds_nothing(0.1 * noise, rate)
        assert holds_nothing(0.003 * noise, rate)


def test_speech_however_quiet_is_kept() -> None:
    assert not holds_nothing(syllables(2.0) * 10.0 ** (-60 / 20), RATE)
    assert holds_nothing(syllables(0.4) * 10.0 ** (-60 / 20), RATE)


@pytest.mark.parametrize("hz", [50.0, 440.0, 3000.0])
def test_hum_and_tones(hz: float) -> None:
    assert holds_nothing(0.2 * torch.sin(2 * torch.pi * hz * torch.arange(2 * RATE) / RATE), RATE)


@pytest.mark.parametrize("seconds", [0.4, 1.0, 3.0, 59.0])
@pytest.mark.parametrize("snr_db", [40.0, 10.0, 0.0])
def test_syllables_under_noise_of_their_own_power_are_kept(seconds: float, snr_db: float) -> None:
    waveform = syllables(seconds)
    noise = coloured(len(waveform), 0.0, torch.Generator().manual_seed(1))
    assert not holds_nothing(mixed(waveform, noise, snr_db), RATE)
    assert not holds_nothing(0.01 * mixed(waveform, noise, snr_db), RATE)


def test_one_word_in_ten_seconds_of_noise_is_kept() -> None:
    noise = 0.003 * coloured(10 * RATE, 0.0, torch.Generator().manual_seed(2))
    assert holds_nothing(noise, RATE)
    noise[5 * RATE : 5 * RATE + RATE // 2] += syllables(0.5)
    assert not holds_nothing(noise, RATE)


@pytest.mark.parametrize("seconds", [0.3, 61.0])
def test_what_is_too_short_or_too_long_to_say_is_kept(seconds: float) -> None:
    assert not is_steady(0.1 * torch.randn(int(seconds * RATE), generator=torch.Generator().manual_seed(3)), RATE)
