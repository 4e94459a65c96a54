"""What is done to a module of any shipped part is heard, in training, step by step and in search."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from shipped_parts import names, part
from tiny_recognizer import parts
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lasasr.lm.base import LanguageModel
from lasasr.models import factory
from lasasr.models.network import Model
from lasasr.nn import concurrent
from lasasr.nn.shared_layers import SharedLinear
from lasasr.search.acoustics import Acoustics
from lasasr.search.beam import BeamSearch
from lasasr.search.greedy import GreedySearch
from lasasr.search.limits import Limits
from lasasr.spell.base import Decoder
from lasasr.text import special

F, V = 7, 9
FEATURES = torch.randn(3, 26, F, generator=torch.Generator().manual_seed(2), dtype=torch.double)
LENGTHS, TOKEN_LENGTHS = torch.tensor([26, 19, 11]), torch.tensor([4, 3, 2])
TOKENS = torch.randint(special.FIRST_TEXT, V, (3, 4), generator=torch.Generator().manual_seed(3))
ENCODED = torch.randn(2, 8, 8, generator=torch.Generator().manual_seed(4), dtype=torch.double)
MASK = torch.arange(8) < torch.tensor([[8], [6]])
LIMITS = Limits(max_length=4)
Path = Callable[[Any], list[Tensor]]


def _build(kind: str, listen: str, attend: str, spell: str) -> Any:
    """A model, or a language model, without dropout, whose parameters are far from where they start."""
    if kind == "lm":
        made: nn.Module = factory.language_model({**_without_dropout("lm", listen), "layers": 2}, 1, V)
    else:
        names = {"listen": listen, "attend": attend, "spell": spell}
        config = {group: _without_dropout(group, name) for group, name in names.items()}
        config["spell"] |= {"layers": 2}
        if "channels" in config["listen"]:
            config["listen"]["channels"] = [3, 4] if isinstance(config["listen"]["channels"], list) else 3
        made = factory.model(parts(0.3, **config), F, V)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return made.double()


def _without_dropout(group: str, name: str) -> dict[str, Any]:
    values = part(group, name)
    return {**values, "dropout": 0.0} if "dropout" in values else dict(values)


def _model(listen: str = "pyramid", attend: str = "location", spell: str = "lstm") -> Model:
    made: Model = _build("model", listen, attend, spell)
    return made


def _trained(model: Model) -> list[Tensor]:
    """The teacher-forced pass, with gradients recorded."""
    torch.manual_seed(5)
    out = model.train()(FEATURES, LENGTHS, TOKENS, TOKEN_LENGTHS)
    return [one for one in (out.logits, out.weights, out.ctc_log_probs) if one is not None]


def _stepped(model: Model) -> list[Tensor]:
    """The decoder's steps one by one, no loop open."""
    assert model.decoder is not None
    decoder = model.decoder.eval()
    memory = decoder.memory(ENCODED, MASK)
    return list(Decoder.unroll(decoder, TOKENS[:2], memory, decoder.initial(memory, 1)))


def _searched(model: Model) -> list[Tensor]:
    """The scores of what beam and greedy search find."""
    decoder, heard = model.eval().decoder, Acoustics(ENCODED, MASK)
    found = BeamSearch(3, 3, keep_weights=False, limits=LIMITS)(decoder, heard)
    found += GreedySearch(LIMITS)(decoder, heard)
    return [torch.tensor([one.score for one in nbest]) for nbest in found]


def _heard(model: Model) -> list[Tensor]:
    """Encoder and CTC head."""
    encoded = model.train().encode(FEATURES, LENGTHS).encoded
    return [encoded, model.ctc_log_probs(encoded)]


def _read(model: LanguageModel) -> list[Tensor]:
    return [model.train().unroll(TOKENS)]


def _read_by_steps(model: LanguageModel) -> list[Tensor]:
    state, logits = model.eval().initial(3, 1), []
    for tokens in TOKENS.unbind(1):
        step = model.step(tokens[:, None], state)
        state = step.state
        logits.append(step.logits)
    return logits


SPELLING: tuple[Path, ...] = (_trained, _stepped, _searched)
PLACES: list[tuple[str, Callable[[], Any], str, tuple[Path, ...]]] = [
    *((f"attend={one}", lambda one=one: _model(attend=one), "decoder", SPELLING) for one in names("attend")),
    *((f"spell={one}", lambda one=one: _model(spell=one), "decoder", SPELLING) for one in names("spell")),
    *((f"listen={one}", lambda one=one: _model(listen=one), "encoder", (_heard,)) for one in names("listen")),
    ("ctc", _model, "ctc", (_trained, _heard)),
    *((f"lm={one}", lambda one=one: _build("lm", one, "", ""), "", (_read, _read_by_steps)) for one in names("lm")),
]
EVERYWHERE = pytest.mark.parametrize(("make", "place", "paths"), [p[1:] for p in PLACES], ids=[p[0] for p in PLACES])


def _within(model: nn.Module, place: str) -> Iterator[tuple[str, nn.Module]]:
    """The modules of the part under test, but for mere lists."""
    lists = nn.ModuleList, nn.ParameterList
    return ((name, one) for name, one in model.named_modules() if name.startswith(place) and not isinstance(one, lists))


def _differ(one: list[Tensor], other: list[Tensor]) -> bool:
    return any(
        a.shape != b.shape or not torch.allclose(a, b, rtol=0, atol=1e-9) for a, b in zip(one, other, strict=True)
    )


class Doubled(nn.Module):
    """Twice what the module in it gives; nothing else of that module can be seen."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.calls = inner, 0

    def forward(self, *given: Any) -> Tensor:
        self.calls += 1
        doubled: Tensor = 2 * self.inner(*given)
        return doubled


@contextmanager
def _replaced(model: nn.Module, name: str, module: nn.Module) -> Iterator[None]:
    parent, _, own = name.rpartition(".")
    before = model.get_submodule(name)
    setattr(model.get_submodule(parent), own, module)
    yield
    setattr(model.get_submodule(parent), own, before)


@EVERYWHERE
def test_a_linear_layer_that_is_wrapped_is_called_and_changes_the_result(
    make: Callable[[], Any], place: str, paths: tuple[Path, ...]
) -> None:
    model = make()
    plain = {path: path(model) for path in paths}
    for name, module in list(_within(model, place)):
        if not isinstance(module, nn.Linear | nn.Embedding) or (place == "" and isinstance(module, nn.Embedding)):
            continue
        for path in paths:
            with _replaced(model, name, wrapped := Doubled(module)):
                found = path(model)
            assert wrapped.calls, f"{path.__name__} does not call {name}"
            hard = (
                getattr(model, "decoder", None) and model.decoder.attention.moves_diagonally
            )  # one frame, decided without a loop
            if not (hard and path is not _trained):
                assert _differ(found, plain[path]), f"{path.__name__} is the same with {name} doubled"


@EVERYWHERE
def test_hooks_of_every_module_fire(make: Callable[[], Any], place: str, paths: tuple[Path, ...]) -> None:
    model = make()
    fired: set[str] = set()
    wanted = {name for name, module in _within(model, place) if name and next(module.parameters(), None) is not None}
    for name in wanted:
        model.get_submodule(name).register_forward_hook(lambda *_, name=name: fired.add(name))
    for path in paths:
        fired.clear()
        path(model)
        # a decoder itself is asked for `step` and `unroll`, not for `forward`
        assert fired >= wanted - {"decoder"}, f"{path.__name__} misses {wanted - fired}"


class Twice(nn.Module):
    """A parametrisation."""

    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight


@EVERYWHERE
def test_a_parametrised_weight_is_the_weight_it_computes(
    make: Callable[[], Any], place: str, paths: tuple[Path, ...]
) -> None:
    """With every weight parametrised by 2 w, all is as with weights that are twice as large."""
    reference, found = make(), make()
    weights = [name for name, _ in found.named_parameters() if name.startswith(place)]
    for name in weights:
        owner, _, own = name.rpartition(".")
        parametrize.register_parametrization(found.get_submodule(owner), own, Twice())
        with torch.no_grad():
            reference.get_parameter(name).mul_(2)
    for path in paths:
        torch.testing.assert_close(path(found), path(reference), rtol=1e-9, atol=1e-9)


def _gradients(model: nn.Module, values: list[Tensor]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(6)
    total = sum((one * torch.randn(one.shape, generator=generator, dtype=one.dtype)).sum() for one in values)
    assert isinstance(total, Tensor)
    found = torch.autograd.grad(total, list(model.parameters()), allow_unused=True)
    pairs = zip(model.named_parameters(), found, strict=True)
    return {name: torch.zeros_like(parameter) if one is None else one for (name, parameter), one in pairs}


@pytest.mark.parametrize("spell", names("spell"))
@pytest.mark.parametrize("attend", names("attend"))
def test_shared_layers_give_the_values_and_gradients_of_torchs_own(attend: str, spell: str) -> None:
    model = _model(attend=attend, spell=spell)
    shared = _trained(model)
    gradients, searched = _gradients(model, shared), _searched(model)
    replaced = 0
    for name, module in list(model.named_modules()):
        if isinstance(module, SharedLinear):
            plain = nn.Linear(module.in_features, module.out_features, module.bias is not None)
            plain.weight, plain.bias = module.weight, module.bias
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, plain)
            replaced += 1
    assert replaced
    values = _trained(model)
    torch.testing.assert_close(shared, values)
    torch.testing.assert_close(gradients, _gradients(model, values))
    torch.testing.assert_close(searched, _searched(model))


def test_hooks_of_the_decoder_see_the_whole_batch_on_two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hook takes from the forward pass belongs to its graph: a loss on it reaches the encoder."""
    monkeypatch.setattr(concurrent, "cores_per_process", lambda: 2)
    model = _model()
    assert model.decoder is not None
    seen: list[Tensor] = []
    model.decoder.get_submodule("attention.energy.key").register_forward_hook(lambda *given: seen.append(given[2]))
    _trained(model)
    assert [len(one) for one in seen] == [len(FEATURES)]
    weight = model.encoder.get_parameter("layers.0.lstm.weight_ih_l0")
    assert torch.autograd.grad(seen[0].sum(), weight)[0].abs().sum() > 0


@pytest.mark.parametrize("name", ["encoder.layers.0.lstm.weight_hh_l0", "decoder.cells.0.weight_loop"])
def test_a_hook_on_a_gradient_is_called_once_on_two_cores(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrent, "cores_per_process", lambda: 2)
    gradients = []
    for factor in (1.0, 2.0):
        model = _model()
        model.get_parameter(name).register_hook(lambda gradient, factor=factor: factor * gradient)
        sum(one.square().sum() for one in _trained(model)).backward()  # type: ignore[union-attr]
        gradients.append(model.get_parameter(name).grad)
    torch.testing.assert_close(gradients[1], 2 * gradients[0])
