"""`lasasr check listen=NAME`: promises kept by every shipped encoder, and broken by those that break them."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from listen_encoders import NAMES, encoder
from torch import Tensor, nn

from lasasr.listen.base import Encoded, Encoder
from lasasr.listen.conformance import PROMISES, check


def broken(make: Any) -> set[str]:
    return {finding.promise for finding in check(make) if not finding.kept}


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_encoder_keeps_every_promise(name: str) -> None:
    assert not broken(lambda input_dim: encoder(name, features=input_dim))


class Convolved(Encoder):
    """A strided convolution; by default it keeps every promise."""

    def __init__(self, input_dim: int, masked: bool = True, normalised: bool = False, short: bool = False) -> None:
        super().__init__()
        self.input_dim, self.output_dim, self.subsampling_factor = input_dim, 6, 2
        self.conv = nn.Conv1d(input_dim, 6, 2, stride=2)
        self.norm = nn.BatchNorm1d(6, track_running_stats=False) if normalised else nn.Identity()
        self.masked, self.short = masked, short

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return (lengths + (0 if self.short else 1)) // 2

    def forward(self, features: Tensor, lengths: Tensor) -> Encoded:
        if self.masked:
            real = torch.arange(features.shape[1], device=lengths.device)[None] < lengths[:, None]
            features = torch.where(real[..., None], features, 0.0)
        features = nn.functional.pad(features, (0, 0, 0, features.shape[1] % 2))
        encoded = self.norm(self.conv(features.transpose(1, 2))).transpose(1, 2)
        produced = (lengths + 1) // 2
        real = torch.arange(encoded.shape[1], device=lengths.device)[None] < produced[:, None]
        return Encoded(torch.where(real[..., None], encoded, 0.0), produced)


def test_an_encoder_of_ones_own_keeps_them() -> None:
    assert not broken(Convolved)


@pytest.mark.parametrize(
    ("options", "promise"),
    [
        ({"masked": False}, "more padding, filled with 1e3 or NaN, changes nothing"),
        ({"masked": False}, "gradients are finite, and none reaches padding"),
        ({"normalised": True}, "alone is as in a batch"),
        ({"short": True}, "output_lengths are the frames produced, at least 1"),
    ],
)
def test_a_promise_that_is_broken_is_seen(options: dict[str, bool], promise: str) -> None:
    assert promise in PROMISES
    assert promise in broken(partial(Convolved, **options))
