"""Weights that a constructor of the user's loads or sets are kept or refused by name, never drawn anew in silence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from shipped_parts import part
from tiny_recognizer import parts
from torch import Tensor, nn

from lasasr.errors import UsageError
from lasasr.listen.base import Encoded, Encoder
from lasasr.models import factory
from lasasr.nn import initial_weights
from lasasr.nn import lengths as length

F, E, V = 12, 8, 9
LOADED = {"weight": torch.full((E, F), 0.25), "bias": torch.full((E,), -1.0)}


class Loading(Encoder):
    """Loads the weights of its body.

    Args:
        says: `pretrained` of the body; None: nothing.
        sets: a parameter that the constructor sets to a constant, besides.
    """

    def __init__(self, *, input_dim: int, says: bool | None = None, loads: bool = True, sets: bool = False) -> None:
        super().__init__()
        self.input_dim, self.output_dim, self.subsampling_factor = input_dim, E, 1
        self.body = nn.Linear(input_dim, E)
        self.head = nn.Linear(E, E)
        if says is not None:
            self.body.pretrained = says
        if loads and initial_weights.wanted():
            self.body.load_state_dict(LOADED)
        if sets:
            nn.init.ones_(self.head.bias)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return lengths

    def forward(self, features: Tensor, lengths: Tensor) -> Encoded:
        real = length.mask(lengths, features.shape[1])[..., None]
        return Encoded(torch.where(real, self.head(self.body(torch.where(real, features, 0.0))), 0.0), lengths)


def encoder(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Any:
    monkeypatch.setenv("LASASR_ALLOW", __name__)
    listen = {"_target_": f"{__name__}.Loading", "_partial_": True, **options}
    return factory.model(parts(0.3, listen=listen), F, V).encoder


def test_loaded_weights_are_refused_by_name_where_they_would_be_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"^encoder\.body\.weight is loaded or set .*pretrained = True on encoder"):
        encoder(monkeypatch)


def test_pretrained_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert torch.equal(encoder(monkeypatch, says=True).body.weight, LOADED["weight"])


@torch.inference_mode()
def test_weights_are_ordinary_ones_in_inference_mode_too(monkeypatch: pytest.MonkeyPatch) -> None:
    built = encoder(monkeypatch, says=True)
    assert not any(weight.is_inference() for weight in built.parameters())


def test_false_says_that_they_may_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not torch.equal(encoder(monkeypatch, says=False).body.weight, LOADED["weight"])


def test_a_constant_that_a_constructor_sets_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"^encoder\.head\.bias is loaded or set"):
        encoder(monkeypatch, loads=False, sets=True)


def test_weights_that_are_drawn_are_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin has drawn from the same generator; what is built is the same with it and without."""
    watched = encoder(monkeypatch, loads=False)
    monkeypatch.setattr("lasasr.models.preset_weights._owned", lambda _: [])
    plain = encoder(monkeypatch, loads=False)
    assert all(torch.equal(one, two) for one, two in zip(watched.parameters(), plain.parameters(), strict=True))


def test_a_bundle_is_loaded_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with initial_weights.read_later():
        assert encoder(monkeypatch, sets=True).output_dim == E


def test_shipped_parts_are_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []
    make = factory._model
    monkeypatch.setattr(factory, "_model", lambda *args: (built.append(args[1]), make(*args))[1])
    factory.model(parts(0.3, listen=part("listen", "pyramid")), F, V)
    assert len(built) == 1
