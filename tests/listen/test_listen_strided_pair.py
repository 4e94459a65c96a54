"""Two strided convolutions of which nothing between is kept, against the plain operations."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from largest_tensor import largest_tensor
from torch import Tensor, nn

from lasasr.listen import strided_pair
from lasasr.listen.subsampling import ConvolutionalSubsampling

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
peak_bytes: Any = importlib.import_module("peak_bytes").peak_bytes

LENGTHS = torch.tensor([50, 1, 29, 48])
BANDS, CHANNELS = 13, 40


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _module(factor: int, channels: int = CHANNELS, bands: int = BANDS) -> ConvolutionalSubsampling:
    torch.manual_seed(0)
    return ConvolutionalSubsampling(bands, 6, factor, channels)


def _features(frames: int = 50, bands: int = BANDS) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(len(LENGTHS), frames, bands)


def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strided_pair, "ELEMENTS", sys.maxsize)


def _divided(monkeypatch: pytest.MonkeyPatch, channels: int = 16) -> None:
    monkeypatch.setattr(strided_pair, "ELEMENTS", 1)  # one utterance at a time
    monkeypatch.setattr(strided_pair, "CHANNELS", channels)


def _differentiated(module: nn.Module, features: Tensor, mixed: bool = False) -> list[Tensor | None]:
    """Frames, then the gradients of the features and of all weights."""
    features = features.detach().clone().requires_grad_(features.requires_grad)
    module.zero_grad()
    with torch.autocast("cpu", torch.bfloat16) if mixed else nullcontext():
        frames, _ = module(features, LENGTHS)
    frames.sin().sum().backward()
    gradients = [features.grad, *(parameter.grad for parameter in module.parameters())]
    return [frames.detach(), *(None if gradient is None else gradient.clone() for gradient in gradients)]


@pytest.mark.parametrize("factor", [4, 6, 8])
@pytest.mark.parametrize("of_features", [False, True])
def test_values_and_gradients_are_those_of_the_plain_operations(
    factor: int, of_features: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, features = _module(factor).double(), _features().double().requires_grad_(of_features)
    _plain(monkeypatch)
    whole = _differentiated(module, features)
    _divided(monkeypatch, channels=7)
    ours = _differentiated(module, features)
    assert (ours[1] is not None) == of_features
    for value, expected in zip(ours, whole, strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() != "AVX512", reason="oneDNN adds up in another order")
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("channels", [144, 256])
def test_at_the_sizes_of_recipes_they_are_the_same_to_the_last_bit(
    mixed: bool, channels: int, one_thread: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, features = _module(4, channels, bands=80), _features(400, bands=80)
    _plain(monkeypatch)
    whole = _differentiated(module, features, mixed)
    _divided(monkeypatch, channels=64)
    for value, expected in zip(_differentiated(module, features, mixed), whole, strict=True):
        assert (value is None and expected is None) or torch.equal(value, expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("frozen", [{0}, {1}, {2}, {3}, {0, 1}, {2, 3}, {0, 1, 2, 3}])
def test_a_frozen_weight_has_no_gradient_and_changes_no_other(
    frozen: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, features = _module(4).double(), _features().double()
    for number, parameter in enumerate(module.convolutions.parameters()):
        parameter.requires_grad_(number not in frozen)
    _plain(monkeypatch)
    whole = _differentiated(module, features)
    _divided(monkeypatch)
    ours = _differentiated(module, features)
    assert [number for number, gradient in enumerate(ours[2:]) if gradient is None] == sorted(frozen)
    for value, expected in zip(ours, whole, strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)


def test_a_pass_takes_half_of_the_memory(one_thread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    module, features = _module(4, 256), _features(1600)
    size = _first(module, features).nbytes
    _plain(monkeypatch)
    _differentiated(module, features)  # what oneDNN keeps for the next time
    whole = peak_bytes(lambda: _differentiated(module, features))
    assert largest_tensor(lambda: _differentiated(module, features)) == size / 4
    _divided(monkeypatch, channels=64)
    ours = peak_bytes(lambda: _differentiated(module, features))
    assert largest_tensor(lambda: _differentiated(module, features)) < size / 8
    assert whole > 3.5 * size
    assert ours < 1.75 * size  # 1.54, gradients of the weights included


def test_nothing_is_kept_where_no_gradient_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    module, features = _module(4).double(), _features().double()
    _plain(monkeypatch)
    frames, _ = module(features, LENGTHS)
    _divided(monkeypatch)
    with torch.no_grad():
        ours, _ = module(features, LENGTHS)
    assert not ours.requires_grad
    torch.testing.assert_close(ours, frames.detach(), rtol=1e-12, atol=1e-12)


def test_hooks_and_parametrisations_take_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    features = _features()
    _divided(monkeypatch)
    module = _module(4)
    shapes: list[Any] = []
    module.convolutions[0].register_forward_hook(lambda _, given, made: shapes.append(made.shape))
    module(features, LENGTHS)
    assert shapes == [_first(module, features).shape]
    module = _module(4)
    torch.nn.utils.parametrizations.weight_norm(module.convolutions[1])
    _differentiated(module, features)
    assert all(parameter.grad is not None for parameter in module.parameters())


def _first(module: ConvolutionalSubsampling, features: Tensor) -> Tensor:
    convolution = module.convolutions[0]
    assert isinstance(convolution, nn.Conv2d)
    made: Tensor = torch.conv2d(features[:, None], convolution.weight, None, convolution.stride, convolution.padding)
    return made
