"""Parts and patterns mean weights by their names in files."""

from __future__ import annotations

import pytest
from torch import nn
from torch.nn.utils import parametrize

from lasasr.adapt.names import by_pattern, chosen, named_parameters
from lasasr.errors import UsageError
from lasasr.nn.parametrized import plain_name

NAMES = ["encoder.layers.0.lstm.weight", "encoder.layers.1.lstm.weight", "encoder.layers.10.bias", "decoder.bias"]


@pytest.mark.parametrize(
    ("patterns", "meant"),
    [
        (["encoder"], [0, 1, 2]),
        (["encoder.layers.1"], [1]),  # and not of layers.10
        (["encoder.layers.?.lstm.*"], [0, 1]),
        (["*.bias"], [2, 3]),
        (["decoder.bias", "*.0.*"], [0, 3]),
        (["*"], [0, 1, 2, 3]),
    ],
)
def test_what_is_meant(patterns: list[str], meant: list[int]) -> None:
    assert chosen(patterns, NAMES, "key") == [NAMES[number] for number in meant]


@pytest.mark.parametrize(
    ("pattern", "nearest"), [("encodr", "encoder"), ("encoder.layer.1", "encoder.layers.1"), ("*.wait", "")]
)
def test_what_means_nothing_is_named_with_the_nearest_part(pattern: str, nearest: str) -> None:
    with pytest.raises(UsageError, match=rf"^adapt\.x: .+ matches no weights of this recognizer; .*{nearest}"):
        chosen(["encoder", pattern], NAMES, "adapt.x")


def test_values_by_pattern() -> None:
    values = by_pattern({"encoder": 1.0, "decoder.bias": 2.0}, NAMES, "key")
    assert values == dict(zip(NAMES, [1.0, 1.0, 1.0, 2.0], strict=True))
    assert by_pattern({"encoder": 1.0, "encoder.layers.10": 1.0}, NAMES, "key").keys() == set(NAMES[:3])
    with pytest.raises(UsageError, match=r"key: encoder and \*\.bias both mean encoder\.layers\.10\.bias"):
        by_pattern({"encoder": 1.0, "*.bias": 2.0}, NAMES, "key")


class Doubled(nn.Module):
    def forward(self, weight: nn.Parameter) -> object:
        return 2 * weight


def test_a_parametrised_weight_keeps_its_name() -> None:
    module = nn.ModuleDict({"model": nn.ModuleDict({"encoder": nn.Linear(2, 2)})})
    before = set(named_parameters(module))
    parametrize.register_parametrization(module["model"]["encoder"], "weight", Doubled())  # type: ignore[index]
    assert set(named_parameters(module)) == before == {"encoder.weight", "encoder.bias"}
    assert plain_name("parametrizations.weight.original") == "weight"
    assert plain_name("a.parametrizations.w.0.a") == "a.parametrizations.w.0.a"
