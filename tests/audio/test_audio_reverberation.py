import numpy as np
import pytest
import scipy.signal
import soundfile
import torch

from lasasr.audio import draws
from lasasr.audio.reverberation import Reverberation, reverberated
from lasasr.errors import LasasrError, UsageError


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(samples, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("samples", "taps"), [(4000, 900), (900, 4000), (1, 1), (17, 2)])
def test_it_is_scipys_convolution_from_the_direct_sound_on_at_the_same_power(samples, taps):
    waveform, response = noise(samples), noise(taps, 1) * torch.linspace(1, 0.01, taps)
    direct = int(response.abs().argmax())
    expected = scipy.signal.convolve(waveform.double().numpy(), response.double().numpy(), method="direct")
    expected = expected[direct : direct + samples]
    expected *= np.sqrt(np.mean(waveform.double().numpy() ** 2) / np.mean(expected**2))
    np.testing.assert_allclose(reverberated(waveform, response).numpy(), expected, atol=2e-4)


def test_an_echoless_room_however_late_and_loud_changes_nothing():
    response = torch.zeros(500)
    response[123] = -0.01
    waveform = noise(2000)
    torch.testing.assert_close(reverberated(waveform, response), -waveform, atol=1e-5, rtol=1e-4)


def test_silence_stays_silence():
    assert torch.equal(reverberated(torch.zeros(100), noise(10)), torch.zeros(100))
    assert torch.equal(reverberated(noise(100), torch.zeros(10)), noise(100))


@pytest.fixture
def rooms(tmp_path):
    """One response at 8 kHz in two channels, one at 16 kHz."""
    (tmp_path / "deeper").mkdir()
    first = noise(400, 1).numpy() * np.linspace(1, 0, 400)
    soundfile.write(tmp_path / "a.wav", np.stack([first, -first], axis=1) / 8, 8000)
    soundfile.write(tmp_path / "deeper" / "b.flac", noise(800, 2).numpy() * np.linspace(1, 0, 800) / 8, 16000)
    return tmp_path


def test_a_draw_belongs_to_seed_epoch_and_utterance(rooms):
    room, waveform = Reverberation(rooms, probability=0.7), noise(1600)
    outcomes = []
    for epoch in range(12):
        once, again = (room(waveform, draws.generator("perturb", 1, epoch, "id")) for _ in range(2))
        assert torch.equal(once, again)
        assert once.shape == waveform.shape
        assert float(once.square().mean()) == pytest.approx(float(waveform.square().mean()), rel=1e-3)
        outcomes.append(once)
    assert len({tuple(outcome[:3].tolist()) for outcome in outcomes}) == 3  # dry and two rooms


def test_channels_of_a_response_are_not_averaged(rooms):
    (rooms / "deeper" / "b.flac").unlink()
    room = Reverberation(rooms, probability=1.0)  # the mean of its channels would be silence
    assert not torch.equal(room(noise(1600), torch.Generator()), noise(1600))


def test_wrong_options(tmp_path):
    with pytest.raises(UsageError, match="probability"):
        Reverberation(tmp_path, probability=1.5)
    with pytest.raises(LasasrError, match=r"impulse response folder .* holds no audio"):
        Reverberation(tmp_path)
    with pytest.raises(LasasrError, match=r"impulse response folder .* is missing"):
        Reverberation(tmp_path / "absent")


def test_a_damaged_response_is_named(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"nothing")
    with pytest.raises(LasasrError, match=r"a\.wav cannot be read"):
        Reverberation(tmp_path, probability=1.0)(noise(10), torch.Generator())
