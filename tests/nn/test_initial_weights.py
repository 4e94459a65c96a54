"""Initial weights follow the seed and the name of a part alone; those that a part brings stay."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tiny_recognizer import parts
from torch import Tensor, nn

from lasasr.configuration.configurable import configurable
from lasasr.errors import UsageError
from lasasr.models import factory
from lasasr.models.recognizer import Recognizer
from lasasr.nn import initial_weights
from lasasr.nn.initial_weights import initialise
from lasasr.text.character import CharacterTokenizer

PAGE = Path(__file__).parents[2] / "docs" / "adding-an-encoder.md"


def _equal(module: nn.Module, other: nn.Module) -> bool:
    ours, theirs = module.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(value, theirs[name]) for name, value in ours.items())


class Raw(nn.Module):
    """A parameter that its constructor draws, in a module without `reset_parameters`, beside one of torch's layers."""

    def __init__(self, size: int = 3, layers: int = 1) -> None:
        super().__init__()
        self.above = nn.ModuleList(nn.Linear(size, size) for _ in range(layers))
        self.raw = nn.Parameter(torch.randn(size))


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Raw(), Raw()


@pytest.mark.parametrize("path", ["first", "first.above.0", ""])
def test_what_is_pretrained_stays_and_all_else_is_drawn_as_without_it(path: str) -> None:
    plain, brought = Pair(), Pair()
    pretrained = brought.get_submodule(path)
    pretrained.pretrained = True  # type: ignore[assignment]
    before = {name: value.clone() for name, value in pretrained.state_dict().items()}
    initialise(plain, 3)
    initialise(brought, 3)
    assert all(torch.equal(value, before[name]) for name, value in pretrained.state_dict().items())
    inside = {id(inner) for inner in pretrained.modules()}
    drawn = [n for n, inner in brought.named_modules() if isinstance(inner, nn.Linear) and id(inner) not in inside]
    assert all(_equal(brought.get_submodule(name), plain.get_submodule(name)) for name in drawn)
    assert len(drawn) == (0 if path == "" else 1)
    initialise(pretrained, 4)
    assert all(torch.equal(value, before[name]) for name, value in pretrained.state_dict().items())


class Tied(nn.Module):
    """Its `reset_parameters` sets the weight of a module in it."""

    def __init__(self) -> None:
        super().__init__()
        self.below = nn.Linear(2, 2)
        self.below.pretrained = True  # type: ignore[assignment]

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.below.weight)


def test_a_part_that_draws_pretrained_weights_anew_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"^tied\.below\.weight is pretrained, but tied \(Tied\) draws it anew"):
        initialise(nn.ModuleDict({"tied": Tied()}), 1)


@pytest.mark.parametrize("value", ["wav2vec2", 1, None, nn.Linear(2, 2)])
def test_a_pretrained_that_is_neither_true_nor_false_is_refused(value: object) -> None:
    part = nn.Linear(2, 2)
    part.pretrained = value  # type: ignore[assignment]
    with pytest.raises(
        UsageError, match=r"^encoder \(Linear\): its attribute pretrained .* must be True or False, got "
    ):
        initialise(nn.ModuleDict({"encoder": part}), 1)


def test_within_a_pretrained_part_no_other_pretrained_is_read() -> None:
    whole = nn.Sequential(nn.Linear(2, 2))
    whole.pretrained = True  # type: ignore[assignment]
    whole[0].pretrained = "its own affair"  # type: ignore[assignment]
    initialise(whole, 1)


def test_torchs_attention_begins_as_torch_begins_it_whatever_was_drawn_before() -> None:
    attentions = []
    for numbers in (1, 5):
        torch.rand(numbers)
        attentions.append(nn.MultiheadAttention(8, 2))
        initialise(attentions[-1], 1)
    assert _equal(*attentions)
    assert not attentions[0].out_proj.bias.any()  # torch: 0; a Linear's own would be uniform


@configurable("listen", "attend")
class Frames(nn.Module):
    """An encoder and an attention with parameters that only their constructors draw."""

    def __init__(self, **sizes: int) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.randn(4))
        self.intermediate = ()  # layers, for a loss that reads some
        self.output_dim, self.context_dim = 4, sizes.get("encoded_dim", 4)


def _model(seed: int, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Any:
    monkeypatch.setenv("LASASR_ALLOW", __name__)
    raw = {"_target_": f"{__name__}.Frames", "_partial_": True}
    return factory.model(parts(0.3, seed, **{"listen": raw, "attend": raw, **changes}), 8, 9)


def test_what_constructors_draw_follows_the_seed_and_the_part_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    spell = {"_target_": "lasasr.spell.recurrent.RecurrentDecoder", "_partial_": True, "hidden_dim": 5, "layers": 3}
    state = torch.get_rng_state()
    first = _model(1, monkeypatch)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(7)
    again, other = _model(1, monkeypatch), _model(2, monkeypatch)
    deeper, ctc = (
        _model(1, monkeypatch, spell=spell),
        _model(1, monkeypatch, loss={"_target_": "lasasr.losses.joint.JointLoss", "ctc_weight": 1.0}),
    )
    assert _equal(first, again)
    assert torch.equal(first.encoder.raw, deeper.encoder.raw)
    assert torch.equal(first.encoder.raw, ctc.encoder.raw)
    assert torch.equal(first.decoder.attention.raw, deeper.decoder.attention.raw)
    assert not torch.equal(first.encoder.raw, first.decoder.attention.raw)
    assert not torch.equal(first.encoder.raw, other.encoder.raw)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The example of docs/adding-an-encoder.md: its yaml and the weights that it brings."""
    blocks = dict(re.findall(r"```(python|yaml)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    (tmp_path / "trained_elsewhere.py").write_text(blocks["python"], encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LASASR_ALLOW", "trained_elsewhere")
    importlib.invalidate_caches()
    weights = nn.Conv1d(8, 64, 5).state_dict()
    torch.save(weights, tmp_path / "weights.pt")
    return {**yaml.safe_load(blocks["yaml"]), "weights": str(tmp_path / "weights.pt")}, weights


def test_an_encoder_that_brings_its_weights_keeps_them_and_a_bundle_loads_its_own(
    elsewhere: tuple[dict[str, Any], dict[str, Tensor]], tmp_path: Path
) -> None:
    listen, weights = elsewhere
    recognizer = Recognizer.build(parts(0.4, listen=listen), CharacterTokenizer.train(["abc"]), "none/1")
    body = recognizer.model.encoder.get_submodule("body")
    assert all(torch.equal(value, weights[name]) for name, value in body.state_dict().items())
    with torch.no_grad():
        for parameter in recognizer.parameters():
            parameter.mul_(1.5)  # what training might do
    recognizer.save(tmp_path / "bundle")
    Path(listen["weights"]).unlink()
    loaded = Recognizer.load(tmp_path / "bundle")
    assert _equal(loaded, recognizer)
    with pytest.raises(UsageError, match=r"weights\.pt"):
        Recognizer.build(parts(0.4, listen=listen), CharacterTokenizer.train(["abc"]), "none/1")


def test_weights_are_wanted_but_while_a_bundle_is_read() -> None:
    with initial_weights.read_later():
        assert not initial_weights.wanted()
    assert initial_weights.wanted()
