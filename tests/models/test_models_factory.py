"""Where configs become objects; what a `_target_` may be: test_gate.py."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lasasr.configuration.configurable import configurable
from lasasr.errors import UsageError
from lasasr.models import factory
from lasasr.nn.initial_weights import initialise


@pytest.mark.parametrize("target", ["os.system", "subprocess.run", "lasasrx.evil", "torch.hub.load", "builtins.exec"])
def test_targets_outside_the_allowed_prefixes_are_refused_at_any_depth(target: str) -> None:
    for config in ({"_target_": target}, {"a": {"b": [{"c": {"_target_": target}}]}}):
        with pytest.raises(UsageError, match="LASASR_ALLOW"):
            factory.check_targets(config)


def test_a_user_can_allow_a_prefix_but_not_what_merely_begins_like_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASASR_ALLOW", "torch.nn")
    with pytest.raises(UsageError, match="attend takes a subclass of"):
        factory.check_targets({"attend": {"_target_": "torch.nn.Linear"}})
    monkeypatch.setenv("LASASR_ALLOW", "torch.n, torch.nn.Lin")
    with pytest.raises(UsageError, match="LASASR_ALLOW"):
        factory.check_targets({"attend": {"_target_": "torch.nn.Linear"}})


def test_the_path_of_a_language_model_is_no_argument_of_the_search() -> None:
    """`search_parts` puts the model in its place."""
    inner = {"_target_": "lasasr.search.rescoring.Rescoring", "lm": "runs/lm", "lm_weight": 0.1}
    search = {"_target_": "lasasr.search.beam.BeamSearch", "lm": "runs/lm", "lm_weight": 0.3, "rescore": inner}
    factory.check_targets({"search": search})
    with pytest.raises(UsageError, match=r"search\.lm_weight"):
        factory.check_targets({"search": {**search, "lm_weight": "much"}})


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"_target_": "lasasr.text.character.Missing"}, "Missing"),
        ({"_target_": "torch.optim.Adam", "_partial_": True, "lr": -1.0}, "learning rate"),
        ({"_target_": "torch.optim.Adam", "_partial_": True, "speed": 1.0}, "speed"),
    ],
)
def test_what_cannot_be_built_is_said_in_one_line_with_its_place(config: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        factory.build(
            config, "optimizer", **({"params": [nn.Parameter(torch.zeros(1))]} if "_partial_" in config else {})
        )
    assert str(caught.value).startswith("optimizer")
    assert "\n" not in str(caught.value)


class Broken(nn.Module):
    def __init__(self, weights: str) -> None:
        super().__init__()
        raise RuntimeError(f"{weights}:\n  not mine")


def test_whatever_a_part_of_the_users_raises_while_it_is_built_is_said_with_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LASASR_ALLOW", __name__)
    configurable("listen")(Broken)
    with pytest.raises(UsageError, match=r"^listen \(.*Broken\): other\.pt: not mine$"):
        factory.build({"_target_": f"{__name__}.Broken", "_partial_": True}, "listen", weights="other.pt")


class Parts(nn.Module):
    def __init__(self, middle: int) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.middle = nn.Sequential(*[nn.Linear(5, 5) for _ in range(middle)])
        self.last = nn.LSTM(4, 2)


def test_changing_one_part_leaves_the_start_of_the_others_equal() -> None:
    one, other = Parts(1), Parts(3)
    initialise(one, 7)
    torch.rand(11)
    initialise(other, 7)
    assert torch.equal(one.first.weight, other.first.weight)
    assert torch.equal(one.last.weight_hh_l0, other.last.weight_hh_l0)
    assert not torch.equal(one.middle[0].weight, other.middle[1].weight)
    initialise(other, 8)
    assert not torch.equal(one.first.weight, other.first.weight)


def test_initialising_leaves_the_random_state_alone() -> None:
    parts = Parts(1)
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    initialise(parts, 1)
    assert torch.equal(torch.rand(4), expected)
