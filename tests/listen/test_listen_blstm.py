"""Frame skipping: which frames go on, and how many."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lasasr.listen.blstm import BLSTMEncoder


@pytest.mark.parametrize("subsampling", [[2], [3], [4], [2, 3], [3, 4], [4, 3], [1, 4], []])
def test_lengths_are_those_of_the_slices(subsampling: list[int]) -> None:
    listen = BLSTMEncoder(3, 2, layers=2, subsampling=subsampling)
    for frames in range(1, 201):
        frame_numbers = range(frames)
        for factor in subsampling:
            frame_numbers = frame_numbers[::factor]
        assert listen.output_lengths(torch.tensor([frames])).tolist() == [len(frame_numbers)]


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_frames_are_dropped_between_plain_layers(factor: int) -> None:
    torch.manual_seed(0)
    listen = BLSTMEncoder(3, 4, layers=2, subsampling=[factor])
    features = torch.randn(1, 11, 3)
    frames = features
    for index, layer in enumerate(listen.layers):
        plain = nn.LSTM(frames.shape[2], 4, batch_first=True, bidirectional=True)
        plain.load_state_dict(layer.lstm.state_dict())
        frames = plain(frames)[0][:, :: factor if index == 0 else 1]
    torch.testing.assert_close(listen(features, torch.tensor([11])).encoded, frames, rtol=0, atol=1e-6)


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match=r"at most layers \(2\) factors >= 1, got \[2, 2, 2\]"):
        BLSTMEncoder(3, 4, layers=2, subsampling=[2, 2, 2])
    with pytest.raises(ValueError, match=r"got \[0\]"):
        BLSTMEncoder(3, 4, layers=2, subsampling=[0])
