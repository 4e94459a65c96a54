"""The promises of a front end: kept by every shipped one, and broken by those that break them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from torch import Tensor

from lasasr.audio.base import Frontend, checked
from lasasr.audio.conformance import PROMISES, check
from lasasr.audio.fbank_frontend import FbankFrontend
from lasasr.audio.specaugment import SpecAugment
from lasasr.errors import LasasrError, UsageError
from lasasr.models import factory

NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "configs" / "frontend").glob("[!_]*.yaml"))
NAMES.remove("of_encoder")  # stands for the one that the encoder says


def shipped(name: str, **options: Any) -> Frontend:
    with initialize_config_module("lasasr.configs", version_base="1.3"):
        config: Any = OmegaConf.to_container(compose(f"frontend/{name}")["frontend"], resolve=True)
    return factory.frontend({**config, **options}, 1)


def broken(make: Any) -> set[str]:
    return {finding.promise for finding in check(make) if not finding.kept}


def test_there_are_two() -> None:
    assert {"fbank80", "waveform"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_front_end_keeps_every_promise(name: str) -> None:
    assert not broken(lambda: shipped(name))


@pytest.mark.parametrize("cmvn", ["global", "none"])
def test_other_normalisations_keep_them_too(cmvn: str) -> None:
    assert not broken(lambda: FbankFrontend(cmvn=cmvn))


class Blurred(FbankFrontend):
    """Sees padding."""

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        features, frames = super().forward(waveforms, lengths)
        return features + waveforms.mean(1)[:, None, None], frames


class Late(FbankFrontend):
    """Says that its frames stand 30 ms later than they do."""

    def __init__(self) -> None:
        super().__init__(cmvn="none")
        self.first_centre_ms += 30.0


class Short(FbankFrontend):
    """Counts a frame too few."""

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return (super().output_lengths(lengths) - 1).clamp(min=1)


class Forgetful(FbankFrontend):
    """Keeps its statistics out of the state dict."""

    def __init__(self) -> None:
        super().__init__(cmvn="global")

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        return {}

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        return None


@pytest.mark.parametrize(
    ("make", "promise"),
    [
        (Blurred, "more padding, filled with 1e3 or NaN, changes nothing"),
        (Blurred, "features are exactly 0 on padding"),
        (Late, "frames stand where first_centre_ms and frame_shift_ms say"),
        (Short, "output_lengths are the frames produced, at least 1"),
        (Forgetful, "the state dict holds what was fitted"),
    ],
)
def test_a_promise_that_is_broken_is_seen(make: Any, promise: str) -> None:
    assert promise in PROMISES
    assert promise in broken(make)


class Unfinished(FbankFrontend):
    """Does not call the constructor of its base class."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)


def test_a_front_end_without_its_numbers_is_refused_when_it_is_built() -> None:
    with pytest.raises(LasasrError, match=r"Unfinished sets no sample_rate_hz; call super\(\)"):
        checked(Unfinished())


@pytest.mark.parametrize("name", ["sample_rate_hz", "frame_shift_ms"])
def test_numbers_must_be_positive(name: str) -> None:
    with pytest.raises(UsageError, match=f"frontend.{name} must be positive, got 0"):
        Frontend.__init__(
            object.__new__(FbankFrontend),
            **{"sample_rate_hz": 16000, "output_dim": 8, "frame_shift_ms": 10.0, name: 0},
        )


def test_specaugment_lets_the_gradient_of_a_trained_front_end_through() -> None:
    features = torch.ones(2, 40, 8, requires_grad=True)
    augmented = SpecAugment("LD", time_warp=5)(features, torch.tensor([40, 30]), step=0, epoch=0, ids=("a", "b"))
    augmented.sum().backward()
    assert features.grad is not None
    assert float(features.grad.sum()) == pytest.approx(
        float(augmented.detach().sum()), rel=1e-5
    )  # of ones: what is kept


def test_the_state_of_a_waveform_is_its_normalised_samples() -> None:
    waveforms = torch.tensor([[1.0, 3.0, 5.0, 9.0]])
    features, lengths = shipped("waveform")(waveforms, torch.tensor([3]))
    expected = torch.tensor([-1.0, 0.0, 1.0]) * (1.5**0.5)
    torch.testing.assert_close(features[0, :3, 0], expected)
    assert features[0, 3, 0] == 0
    assert lengths.tolist() == [3]
