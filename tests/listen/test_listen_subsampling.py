"""Subsampling against convolutions of each utterance without padding."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lasasr.listen.subsampling import STRIDES, ConvolutionalSubsampling, Stacking, subsampling
from lasasr.nn import lengths as length

LENGTHS = torch.tensor([26, 1, 13])


def _by_hand(module: ConvolutionalSubsampling, utterance: Tensor) -> Tensor:
    image = utterance[None, None]
    for stride, convolution in zip(module.strides, module.convolutions, strict=True):
        weights: Any = (convolution.weight, convolution.bias)
        zeros = stride - 1
        image = functional.conv2d(functional.pad(image, (zeros,) * 4), *weights, stride=stride).relu()
    frames: Tensor = module.project(torch.cat(list(image[0]), -1))
    return frames


@pytest.mark.parametrize("factor", STRIDES)
@pytest.mark.parametrize("bands", [1, 7])
def test_a_padded_batch_is_each_utterance_by_itself(factor: int, bands: int) -> None:
    torch.manual_seed(0)
    module = ConvolutionalSubsampling(bands, 6, factor, 3).double()
    features = torch.randn(3, 30, bands, dtype=torch.double)
    features[~length.mask(LENGTHS, 30)] = float("nan")
    frames, lengths = module(features, LENGTHS)
    assert lengths.tolist() == [-(-count // factor) for count in LENGTHS.tolist()]
    assert frames.shape == (3, -(-30 // factor), 6)
    assert frames.isfinite().all()
    for row, count in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(frames[row, : lengths[row]], _by_hand(module, features[row, :count]))


@pytest.mark.parametrize("factor", STRIDES)
def test_gradients_of_a_padded_batch_are_those_of_each_utterance_by_itself(factor: int) -> None:
    torch.manual_seed(0)
    module = ConvolutionalSubsampling(5, 6, factor, 3).double()
    features = torch.randn(3, 30, 5, dtype=torch.double)
    frames, lengths = module(features, LENGTHS)
    frames[length.mask(lengths, frames.shape[1])].square().sum().backward()
    of_batch = {name: parameter.grad for name, parameter in module.named_parameters()}
    module.zero_grad()
    sum(_by_hand(module, features[row, :count]).square().sum() for row, count in enumerate(LENGTHS.tolist())).backward()
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(of_batch[name], parameter.grad)


def test_stacked_frames_lie_side_by_side() -> None:
    module = Stacking(2, 4, 3)
    features = torch.randn(2, 7, 2)
    frames, lengths = module(features, torch.tensor([7, 4]))
    assert lengths.tolist() == [3, 2]
    zeros = torch.zeros(2)
    last = torch.cat((features[1, 3], zeros, zeros))
    torch.testing.assert_close(frames[1, 1], module.project(last))
    torch.testing.assert_close(frames[0, 1], module.project(features[0, 3:6].flatten()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "pooling"}, "subsampling_by must be one of convolution, stacking, got 'pooling'"),
        ({"factor": 5}, r"must be one of 2, 3, 4, 6, 8 by convolution \(or any by stacking\), got 5"),
        ({"factor": 0, "by": "stacking"}, "subsampling_factor must be >= 1, got 0"),
        ({"channels": 0}, "channels must be >= 1, got 0"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        subsampling(**{"by": "convolution", "input_dim": 4, "dim": 4, "factor": 4, "channels": 2, **options})
