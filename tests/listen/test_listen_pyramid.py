"""The pyramid against its equation, written out frame by frame."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lasasr.listen.pyramid import PyramidEncoder
from lasasr.listen.stacking import stack_frames


def _written_out(pyramid: PyramidEncoder, frames: Tensor, joined: list[int]) -> Tensor:
    """Chan et al. 2015, equation 5, for one utterance (T, F)."""
    for count, layer in zip(joined, pyramid.layers, strict=True):
        frames = torch.cat([frames, frames.new_zeros(-len(frames) % count, frames.shape[1])])
        frames = torch.stack([torch.cat(list(frames[i : i + count])) for i in range(0, len(frames), count)])
        plain = nn.LSTM(frames.shape[1], 4, batch_first=True, bidirectional=True)
        plain.load_state_dict(layer.lstm.state_dict())
        frames = plain(frames[None])[0][0]
    return frames


@pytest.mark.parametrize(
    ("layers", "factor", "stack", "joined"),
    [
        (4, 8, 1, [1, 2, 2, 2]),  # the paper's
        (3, 4, 1, [1, 2, 2]),
        (5, 4, 1, [1, 2, 2, 1, 1]),
        (3, 4, 2, [2, 2, 1]),
        (2, 4, 1, [2, 2]),
        (1, 4, 1, [4]),
        (3, 1, 1, [1, 1, 1]),
        (2, 6, 3, [3, 2]),
        (2, 12, 3, [6, 2]),
    ],
)
@pytest.mark.parametrize("frames", [1, 7, 16])
def test_it_is_the_equation(layers: int, factor: int, stack: int, joined: list[int], frames: int) -> None:
    torch.manual_seed(0)
    pyramid = PyramidEncoder(3, 4, layers=layers, subsampling_factor=factor, stack=stack)
    features = torch.randn(1, frames, 3)
    encoded, lengths = pyramid(features, torch.tensor([frames]))
    expected = _written_out(pyramid, features[0], joined)
    assert lengths.tolist() == [len(expected)]
    torch.testing.assert_close(encoded[0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subsampling_factor": 3}, r"must be stack \(1\) times a power of two, got 3"),
        ({"subsampling_factor": 0}, r"subsampling_factor must be ≥ 1, got 0"),
        ({"subsampling_factor": 1, "stack": 2}, r"must be stack \(2\) times a power of two, got 1"),
        ({"subsampling_factor": 7, "stack": 2}, r"must be stack \(2\) times a power of two, got 7"),
        ({"layers": 0}, "layers and stack must be >= 1, got 0 and 1"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
    ],
)
def test_wrong_options_are_named(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PyramidEncoder(3, 4, **options)  # type: ignore[arg-type]


def test_stacking_completes_the_last_frame_with_zeros() -> None:
    frames = torch.arange(1.0, 11.0).view(1, 5, 2)
    expected = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 0, 0]]
    assert stack_frames(frames, 2)[0].tolist() == expected
    assert stack_frames(frames, 1) is frames
