"""The training loop, with what its steps share gathered, against the plain steps, for every part in `configs/`."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch._dynamo
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from shipped_parts import names, with_presets
from torch import Tensor

from lasasr.attend.location import LocationAttention
from lasasr.errors import LasasrError
from lasasr.models import factory
from lasasr.spell import recurrent
from lasasr.spell.base import Decoder
from lasasr.spell.recurrent import RecurrentDecoder
from lasasr.text import special

V, E, U = 9, 6, 5
LENGTHS = torch.tensor([14, 9, 1])
CONFIGS = Path(__file__).parents[2] / "configs"


def _config(group: str, name: str) -> dict[str, Any]:
    with initialize_config_module("lasasr.configs", version_base="1.3"):
        composed = compose(f"{group}/{name}")
    plain: Any = OmegaConf.to_container(composed[group], resolve=True)
    return {key: 8 if key.endswith("dim") and isinstance(value, int) else value for key, value in plain.items()}


def _decoder(attend: str, spell: str, **options: Any) -> Decoder:
    torch.manual_seed(0)
    made: Decoder = factory.build(
        _config("spell", spell),
        "spell",
        attend=partial(factory.build, _config("attend", attend) | options, "attend"),
        encoded_dim=E,
        vocabulary_size=V,
    )
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made.double()


def _passed(decoder: Decoder, unroll: Any, sampling: float = 0.0) -> list[Tensor]:
    """Logits, weights and all gradients."""
    torch.manual_seed(1)
    mask = torch.arange(int(LENGTHS.max())) < LENGTHS[:, None]
    encoded = torch.randn(*mask.shape, E, dtype=torch.double, requires_grad=True)
    tokens = torch.randint(special.FIRST_TEXT, V, (len(LENGTHS), U))
    memory = decoder.memory(encoded, mask)
    logits, weights = unroll(tokens, memory, decoder.initial(memory, 1), sampling)
    value = (logits * torch.randn(logits.shape)).sum() + (weights * torch.randn(weights.shape)).sum()
    wanted = [encoded, *decoder.parameters()]
    found = torch.autograd.grad(value, wanted, allow_unused=True)
    return [logits, weights, *(torch.zeros_like(a) if b is None else b for a, b in zip(wanted, found, strict=True))]


@pytest.mark.parametrize("spell", names("spell"))
@pytest.mark.parametrize("attend", names("attend"))
def test_gathered_is_plain(attend: str, spell: str) -> None:
    decoder = _decoder(attend, spell)
    torch.testing.assert_close(_passed(decoder, decoder.unroll), _passed(decoder, partial(Decoder.unroll, decoder)))


@pytest.mark.parametrize("attend", sorted({*with_presets("attend")} - {*names("attend")}))
def test_gathered_is_plain_of_presets(attend: str) -> None:
    decoder = _decoder(attend, "lstm")
    torch.testing.assert_close(_passed(decoder, decoder.unroll), _passed(decoder, partial(Decoder.unroll, decoder)))


@pytest.mark.parametrize(
    ("attend", "options"),
    [
        ("location", {"kernel_size": 3}),  # the filters cover a small part of the utterance
        ("location", {"heads": 2, "multires": True, "kernel_size": 5}),
        ("location", {"alpha_0": "first", "half_window": 2}),
        ("location", {"detach": True, "top_k": 3, "scale": 2.0}),
        ("location_2d", {"kernel_size": 3, "heads": 2, "history": 3}),
        ("multihead_additive", {"values": "raw", "weights": "smoothing"}),
        ("dot", {"heads": 2, "tanh": True, "scaled": True}),
    ],
    ids=str,
)
def test_gathered_is_plain_with_options(attend: str, options: dict[str, Any]) -> None:
    decoder = _decoder(attend, "lstm", **options)
    torch.testing.assert_close(_passed(decoder, decoder.unroll), _passed(decoder, partial(Decoder.unroll, decoder)))


def test_gathered_is_plain_where_the_model_reads_itself() -> None:
    decoder = _decoder("location", "lstm")
    passed = [_passed(decoder, unroll, 0.5) for unroll in (decoder.unroll, partial(Decoder.unroll, decoder))]
    torch.testing.assert_close(*passed)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled steps as torch traces them, run operator by operator: no compiler is needed."""
    traced = torch.compile(RecurrentDecoder._advance, fullgraph=True, dynamic=True, backend="aot_eager")
    monkeypatch.setattr(recurrent, "compiled_step", lambda: traced)
    torch._dynamo.reset()


def _compiled_is_plain(attend: str, spell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values and gradients, for batches of two shapes."""
    decoder = _decoder(attend, spell)
    for lengths in (LENGTHS, torch.tensor([17, 5])):
        monkeypatch.setattr(sys.modules[__name__], "LENGTHS", lengths)
        decoder.compiles = False
        plain = _passed(decoder, decoder.unroll)
        decoder.compiles = True
        torch.testing.assert_close(_passed(decoder, decoder.unroll), plain)


@pytest.mark.usefixtures("graphs")
def test_compiled_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    _compiled_is_plain("dot", "lstm", monkeypatch)


@pytest.mark.slow
@pytest.mark.usefixtures("graphs")
@pytest.mark.parametrize("spell", names("spell"))
@pytest.mark.parametrize("attend", names("attend"))
def test_any_decoder_compiled_is_plain(attend: str, spell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _compiled_is_plain(attend, spell, monkeypatch)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="Inductor wants a C++ compiler on a CPU")
def test_compiled_to_kernels_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    _compiled_is_plain("location", "lstm", monkeypatch)


def test_a_step_that_cannot_be_compiled_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(decoder: RecurrentDecoder, *given: Any) -> Any:
        raise torch._dynamo.exc.Unsupported("a branch on values")

    monkeypatch.setattr(recurrent, "compiled_step", lambda: step)
    decoder = _decoder("dot", "lstm")
    decoder.compiles = True
    with pytest.raises(LasasrError, match=r"set spell\.compile=false .*a branch on values"):
        _passed(decoder, decoder.unroll)


def test_frozen_parts_stay_frozen() -> None:
    decoder = _decoder("location", "lstm")
    decoder.attention.requires_grad_(False)
    memory = decoder.memory(torch.randn(2, 4, E, dtype=torch.double), torch.ones(2, 4, dtype=torch.bool))
    tokens = torch.full((2, 3), special.SOS)
    decoder.unroll(tokens, memory, decoder.initial(memory, 1)).logits.sum().backward()
    assert all((p.grad is None) != p.requires_grad for p in decoder.parameters())


def test_memory_of_a_batch_does_not_grow_with_the_frames_of_every_step() -> None:
    """What autograd keeps per step is of the size of a step's weights and hidden values, not of B · T · A."""
    attend = partial(LocationAttention, dim=64, filters=2, kernel_size=5)
    decoder = RecurrentDecoder(attend=attend, encoded_dim=E, vocabulary_size=V, hidden_dim=8, embedding_dim=8)
    memory = decoder.memory(torch.randn(2, 50, E), torch.ones(2, 50, dtype=torch.bool))
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        unrolled = decoder.unroll(torch.full((2, 20), special.SOS), memory, decoder.initial(memory, 1))
    assert unrolled.logits.requires_grad
    assert sum(size >= 2 * 50 * 64 for size in kept.values()) <= 2  # the keys, and not twenty times σ
