"""Perturbations of the waveform: exact lengths, exact ratios, repeatable draws."""

import math
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from lasasr.audio.perturb import COLOURS, AdditiveNoise, SpeedPerturb, coloured, mixed
from lasasr.errors import LasasrError, UsageError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tone(frequency_hz: float, samples: int = 16_000) -> Tensor:
    return 0.3 * torch.sin(2 * math.pi * frequency_hz * torch.arange(samples) / 16_000)


def power(waveform: Tensor) -> float:
    return float(waveform.double().square().mean())


@pytest.mark.parametrize("factor", ["0.9", "1.0", "1.1", "0.75"])
@pytest.mark.parametrize("samples", [1, 160, 15_999, 16_000])
def test_speed_gives_exact_lengths(factor: str, samples: int) -> None:
    perturbed = SpeedPerturb([float(factor)])(torch.randn(samples, generator=generator()), generator())
    assert len(perturbed) == math.ceil(samples / Fraction(factor))


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_speed_moves_the_pitch(factor: float) -> None:
    perturbed = SpeedPerturb([factor])(tone(500.0), generator())
    peak_hz = int(torch.fft.rfft(perturbed).abs().argmax()) * 16_000 / len(perturbed)
    assert peak_hz == pytest.approx(500.0 * factor, abs=1.0)


def test_speeds_are_drawn_evenly() -> None:
    draw, perturb = generator(), SpeedPerturb()
    counts = Counter(len(perturb(torch.zeros(990), draw)) for _ in range(300))
    assert set(counts) == {1100, 990, 900}
    assert min(counts.values()) > 60  # 100 expected, standard deviation 8
    assert torch.equal(perturb(tone(300.0), generator(7)), perturb(tone(300.0), generator(7)))


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.5, 40.0])
def test_signal_to_noise_ratio_is_exact(snr_db: float) -> None:
    speech, noise = tone(440.0), torch.randn(16_000, generator=generator())
    added = mixed(speech, noise, snr_db) - speech
    assert 10 * math.log10(power(speech) / power(added)) == pytest.approx(snr_db, abs=0.01)


def test_ratio_is_drawn_within_its_bounds() -> None:
    draw, perturb = generator(), AdditiveNoise((5.0, 15.0), colour="pink")
    speech = tone(440.0, 4000)
    drawn = [10 * math.log10(power(speech) / power(perturb(speech, draw) - speech)) for _ in range(100)]
    assert 4.99 < min(drawn) < 6.0
    assert 14.0 < max(drawn) < 15.01


def test_probability_counts_utterances() -> None:
    draw, perturb, speech = generator(), AdditiveNoise(probability=0.25, colour="white"), tone(440.0, 400)
    changed = sum(not torch.equal(perturb(speech, draw), speech) for _ in range(400))
    assert 60 < changed < 140  # 100 expected, standard deviation 9
    assert torch.equal(AdditiveNoise(probability=0.0, colour="white")(speech, draw), speech)


def test_silence_stays() -> None:
    assert torch.equal(AdditiveNoise(colour="white")(torch.zeros(500), generator()), torch.zeros(500))
    assert torch.equal(mixed(tone(440.0), torch.zeros(16_000), 10.0), tone(440.0))


@pytest.mark.parametrize(("colour", "exponent"), sorted(COLOURS.items()))
def test_colours_fall_by_three_and_six_db_per_octave(colour: str, exponent: float) -> None:
    noise = coloured(2**16, exponent, generator())
    assert noise.shape == (2**16,)
    spectrum = torch.fft.rfft(noise).abs().square()
    low, high = spectrum[1000:2000].mean(), spectrum[8000:16_000].mean()  # three octaves
    assert float(10 * (low / high).log10()) / 3 == pytest.approx(2 * exponent * 3.01, abs=0.3)


def test_folder_of_other_rates_and_channels(tmp_path: Path) -> None:
    time = np.arange(44_100 * 2) / 44_100
    stereo = np.stack([np.sin(2 * np.pi * 1000 * time), np.zeros_like(time)], 1) * 0.5
    (tmp_path / "sub").mkdir()
    soundfile.write(tmp_path / "sub" / "hum.ogg", stereo, 44_100)
    (tmp_path / "readme.txt").write_text("not audio")
    perturb = AdditiveNoise((10.0, 10.0), folder=tmp_path)
    speech = tone(440.0, 8000)
    noise = perturb(speech, generator()) - speech
    assert 10 * math.log10(power(speech) / power(noise)) == pytest.approx(10.0, abs=0.01)
    assert int(torch.fft.rfft(noise).abs().argmax()) * 2 == 1000  # 8000 samples at 16 kHz: 2 Hz per bin
    assert torch.equal(perturb(speech, generator(3)), perturb(speech, generator(3)))
    assert not torch.equal(perturb(speech, generator(3)), perturb(speech, generator(4)))


def test_short_recording_is_repeated(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "click.wav", np.r_[0.5, np.zeros(99)], 16_000)
    speech = tone(440.0, 1000)
    noise = AdditiveNoise((20.0, 20.0), folder=tmp_path)(speech, generator()) - speech
    assert (noise.abs() > 1e-4).nonzero().flatten().tolist() == list(range(0, 1000, 100))


@pytest.mark.parametrize("snr_db", [-3.0, 5.0, 20.0])
@pytest.mark.parametrize(("rate_hz", "seconds"), [(16_000, 2.0), (8000, 0.05), (44_100, 0.7)])
def test_ratio_of_recorded_noise_is_the_one_asked_for(
    tmp_path: Path, snr_db: float, rate_hz: int, seconds: float
) -> None:
    random = np.random.default_rng(0)
    soundfile.write(tmp_path / "n.flac", random.uniform(-0.3, 0.3, int(rate_hz * seconds)), rate_hz)
    speech, perturb = tone(440.0, 12_000), AdditiveNoise((snr_db, snr_db), folder=tmp_path)
    added = perturb(speech, generator()) - speech
    assert added.shape == speech.shape
    assert 10 * math.log10(power(speech) / power(added)) == pytest.approx(snr_db, abs=0.02)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros(0), "holds no audio"),
        (np.array([0.1, math.nan, 0.2] * 100), "holds NaN or infinite samples"),
        (b"", "is empty: a file of 0 bytes"),
        (b"RIFF of something else", "cannot be read as audio"),
    ],
)
def test_damaged_noise_is_named(tmp_path: Path, content: np.ndarray | bytes, message: str) -> None:
    if isinstance(content, bytes):
        (tmp_path / "odd.wav").write_bytes(content)
    else:
        soundfile.write(tmp_path / "odd.wav", content, 16_000, "FLOAT")
    with pytest.raises(LasasrError, match=rf"{tmp_path}/odd\.wav {message}") as caught:
        AdditiveNoise(folder=tmp_path)(tone(440.0, 500), generator())
    assert "\n" not in str(caught.value)


def test_wrong_requests(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="either"):
        AdditiveNoise()
    with pytest.raises(UsageError, match="purple"):
        AdditiveNoise(colour="purple")
    for bounds in ((20.0, 10.0), (math.nan, 10.0), (10.0, math.nan), (10.0, math.inf), (10.0,)):
        with pytest.raises(UsageError, match="snr_db"):
            AdditiveNoise(bounds, colour="white")
    with pytest.raises(UsageError, match="probability"):
        AdditiveNoise(probability=1.5, colour="white")
    for factors in ([0.0], [], [1.0, math.nan], [3.0], [-1.0]):
        with pytest.raises(UsageError, match="speed"):
            SpeedPerturb(factors)
    with pytest.raises(LasasrError, match="nowhere"):
        AdditiveNoise(folder=tmp_path / "nowhere")
    with pytest.raises(LasasrError, match="no audio"):
        AdditiveNoise(folder=tmp_path)
