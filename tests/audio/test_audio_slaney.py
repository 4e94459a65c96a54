"""Slaney's mel filters against those of an independent library, which Whisper's own were made with."""

from __future__ import annotations

import pytest
import torch
from torchaudio_reference import torchaudio

from lasasr.audio.slaney import slaney_filters


@pytest.mark.parametrize(("fft_size", "bins"), [(400, 80), (400, 128), (512, 80), (512, 40)])
def test_they_are_those_of_torchaudio(fft_size: int, bins: int) -> None:
    expected = torchaudio().functional.melscale_fbanks(
        fft_size // 2 + 1, 0.0, 8000.0, bins, 16_000, norm="slaney", mel_scale="slaney"
    )
    torch.testing.assert_close(slaney_filters(16_000, fft_size, bins), expected, rtol=1e-4, atol=1e-7)
