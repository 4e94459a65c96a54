"""CMVN against NumPy over the real frames."""

import numpy as np
import pytest
import torch
from torch import Tensor

from lasasr.audio.cmvn import GlobalCMVN, Statistics, UtteranceCMVN
from lasasr.errors import LasasrError

LENGTHS = torch.tensor([7, 1, 4])


@pytest.fixture
def features() -> Tensor:
    values = torch.randn(3, 7, 5, generator=torch.Generator().manual_seed(0)) * 4 - 9
    values[:, :, 2] = -15.942385  # a feature that never varies
    for row, length in zip(values, LENGTHS, strict=True):
        row[length:] = float("nan")
    return values


def fitted(features: Tensor) -> tuple[GlobalCMVN, Statistics]:
    statistics = Statistics(5)
    statistics.add(features, LENGTHS)
    module = GlobalCMVN(5)
    module.fit(statistics)
    return module, statistics


def real(features: Tensor) -> np.ndarray:
    rows = [row[:length].double().numpy() for row, length in zip(features, LENGTHS, strict=True)]
    return np.concatenate(rows)


def test_utterance_by_its_own_frames(features: Tensor) -> None:
    normal = UtteranceCMVN()(features, LENGTHS)
    for row, length, raw in zip(normal, LENGTHS, features, strict=True):
        frames = raw[:length].double().numpy()
        expected = (frames - frames.mean(0)) / np.maximum(frames.std(0), 1e-3)
        np.testing.assert_allclose(row[:length], expected, atol=2e-3)  # float32 mean of the constant feature


def test_utterance_without_variation_is_zero() -> None:
    normal = UtteranceCMVN()(torch.full((1, 6, 4), 3.0), torch.tensor([6]))
    assert bool((normal == 0).all())


def test_global_by_all_frames(features: Tensor) -> None:
    normal = fitted(features)[0](features, LENGTHS)
    frames = real(features)
    expected = (frames - frames.mean(0)) / np.maximum(frames.std(0), 1e-3)
    np.testing.assert_allclose(real(normal), expected, atol=2e-3)


def test_padding_is_exactly_zero_and_changes_nothing(features: Tensor) -> None:
    for module in (UtteranceCMVN(), fitted(features)[0]):
        normal = module(features, LENGTHS)
        longer = module(torch.cat([features, torch.full((3, 9, 5), 1e9)], 1), LENGTHS)
        assert bool(normal.isfinite().all())
        for row, extended, length in zip(normal, longer, LENGTHS, strict=True):
            assert bool((row[length:] == 0).all())
            assert bool((extended[length:] == 0).all())
            torch.testing.assert_close(row[:length], extended[:length], atol=1e-6, rtol=1e-6)


def test_sums_of_parts_are_the_whole(features: Tensor) -> None:
    whole = fitted(features)[1]
    parts = Statistics(5)
    for row in (2, 0, 1):
        parts.add(features[row : row + 1], LENGTHS[row : row + 1])
    assert parts.frames == whole.frames == 12
    torch.testing.assert_close(parts.sums, whole.sums, rtol=1e-14, atol=0)
    torch.testing.assert_close(parts.std(), whole.std(), rtol=1e-9, atol=0)


def test_statistics_travel_in_the_state_dict(features: Tensor) -> None:
    module = fitted(features)[0]
    other = GlobalCMVN(5)
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(features, LENGTHS), module(features, LENGTHS))


def test_useless_statistics_are_refused(features: Tensor) -> None:
    with pytest.raises(LasasrError, match="0 frames"):
        GlobalCMVN(5).fit(Statistics(5))
    with pytest.raises(LasasrError, match="width 4"):
        GlobalCMVN(4).fit(fitted(features)[1])
    broken = Statistics(5)
    broken.add(torch.full((1, 2, 5), float("nan")), torch.tensor([2]))
    with pytest.raises(LasasrError, match="not finite"):
        GlobalCMVN(5).fit(broken)
