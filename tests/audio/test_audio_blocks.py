"""A file block by block is the file."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from lasasr.audio.blocks import blocks, duration_s
from lasasr.audio.read import read
from lasasr.errors import LasasrError


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (8_000, 2), (11_025, 1), (22_050, 1)])
@pytest.mark.parametrize("seconds", [0.3, 4.0, 9.37, 12.0])
def test_blocks_together_are_the_file(tmp_path: Path, rate: int, channels: int, seconds: float) -> None:
    path = tmp_path / "a.wav"
    noise = np.random.default_rng(0).normal(size=(int(seconds * rate), channels)) * 0.1
    soundfile.write(path, noise, rate)
    whole, parts = read(path, 16_000), list(blocks(path, 16_000, block_s=4))
    assert max(map(len, parts)) <= 5 * 16_000
    together = torch.cat(parts)
    assert together.shape == whole.shape
    assert torch.equal(together, whole) if rate == 16_000 else torch.allclose(together, whole, atol=2e-6)
    assert duration_s(path) == pytest.approx(seconds, abs=1 / rate)


def test_what_is_broken_is_said_with_its_time(tmp_path: Path) -> None:
    samples = np.zeros(6 * 8000, dtype=np.float32)
    samples[int(5.25 * 8000)] = np.nan
    soundfile.write(tmp_path / "bad.wav", samples, 8000, subtype="FLOAT")
    with pytest.raises(LasasrError, match=r"bad\.wav holds NaN or infinite samples, the first at 5\.250 s"):
        list(blocks(tmp_path / "bad.wav", 16_000, block_s=2))
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    with pytest.raises(LasasrError, match=r"empty\.wav holds no audio"):
        list(blocks(tmp_path / "empty.wav", 16_000))
    with pytest.raises(LasasrError, match=r"none\.wav is missing"):
        list(blocks(tmp_path / "none.wav", 16_000))
    with pytest.raises(ValueError, match="block_s must be > 1, got 1"):
        list(blocks(tmp_path / "bad.wav", 16_000, block_s=1))
