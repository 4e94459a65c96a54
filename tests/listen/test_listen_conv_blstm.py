"""Convolutions and lengths."""

from __future__ import annotations

import pytest
import torch

from lasasr.listen.conv_blstm import ConvBLSTMEncoder, VGGBlock


@pytest.mark.parametrize("frames", [1, 2, 5, 8])
def test_a_block_of_a_padded_image_is_the_block_of_the_image(frames: int) -> None:
    torch.manual_seed(0)
    block = VGGBlock(1, 3)
    padded = torch.zeros(1, 1, 11, 6)
    padded[:, :, :frames] = torch.randn(1, 1, frames, 6)
    alone, lengths = block(padded[:, :, :frames], torch.tensor([frames]))
    together, _ = block(padded, torch.tensor([frames]))
    assert lengths.tolist() == [alone.shape[2]]
    torch.testing.assert_close(together[:, :, : alone.shape[2]], alone)
    assert (together[:, :, alone.shape[2] :] == 0).all()


@pytest.mark.parametrize("bands", [1, 5, 12])
@pytest.mark.parametrize("channels", [[], [2], [2, 3], [2, 3, 2]])
def test_any_number_of_bands_and_blocks(bands: int, channels: list[int]) -> None:
    listen = ConvBLSTMEncoder(bands, 4, layers=1, channels=channels)
    assert listen.subsampling_factor == 2 ** len(channels)
    assert listen(torch.randn(2, 9, bands), torch.tensor([9, 2])).encoded.shape == (2, -(-9 // 2 ** len(channels)), 8)


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match=r"must be >= 1, got 2 and \[4, 0\]"):
        ConvBLSTMEncoder(3, 4, layers=2, channels=[4, 0])
