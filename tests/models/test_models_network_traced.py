"""Whoever records a module's operations (torch.jit.trace, torch.export, torch.onnx) meets torch's own alone."""

from __future__ import annotations

import io
import warnings
from functools import partial
from typing import Any

import pytest
import torch
from shipped_parts import names, part
from torch import Tensor, nn

from lasasr.listen.base import Encoder
from lasasr.models import factory
from lasasr.nn import shared_steps
from lasasr.spell.base import Decoder
from lasasr.text import special

F, E, V = 10, 6, 9
EVERY = [
    *((attend, "lstm") for attend in names("attend")),
    *(("location", spell) for spell in names("spell") if spell != "lstm"),
]
# torch's own way to write down that a stretch of operations records no gradient
WRAPPERS = ("aten.", "<built-in function getitem>", "wrap_with_set_grad_enabled")


class TwoSteps(nn.Module):
    """Encoded (B, T, E), mask (B, T) and two tokens (B, K) each → logits and weights of the second step."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, encoded: Tensor, mask: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        memory = self.decoder.memory(encoded, mask)
        state = self.decoder.step(first, memory, self.decoder.initial(memory, 3)).state
        step = self.decoder.step(second, memory, state)
        return step.logits, step.weights


class Encoding(nn.Module):
    """Features (B, T, F) and lengths (B,) → encoded and its lengths."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.encoder(features, lengths))


def _steps(attend: str, spell: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    torch.manual_seed(0)
    decoder = factory.build(
        part("spell", spell),
        "spell",
        attend=partial(factory.build, part("attend", attend), "attend"),
        encoded_dim=E,
        vocabulary_size=V,
    )
    mask = torch.arange(7) < torch.tensor([[7], [5]])
    tokens = torch.randint(special.FIRST_TEXT, V, (2, 3))
    return TwoSteps(decoder).eval(), (torch.randn(2, 7, E), mask, torch.full((2, 3), special.SOS), tokens)


def _encoding(listen: str, lstm: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    torch.manual_seed(0)
    values = dict(part("listen", listen))
    values |= {"lstm": lstm} if "lstm" in values else {}
    values |= {"layers": 2} if {"layers", "heads"} <= values.keys() else {}  # more are the same again
    encoder = factory.build(values, "listen", input_dim=F)
    return Encoding(encoder).eval(), (torch.randn(2, 20, F), torch.tensor([20, 13]))


def _traced(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Gradients are recorded and a loop is open: where nobody traces, functions of our own would be at work."""
    with torch.no_grad():
        expected = module(*inputs)
    with shared_steps.loop(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced: Any = torch.jit.trace(module, inputs, check_trace=False)  # type: ignore[no-untyped-call]
    kinds = {node.kind() for node in traced.inlined_graph.nodes()}
    assert all(kind.startswith(("aten::", "prim::")) and "Python" not in kind for kind in kinds), kinds
    with torch.no_grad():
        torch.testing.assert_close(tuple(traced(*inputs)), tuple(expected))


def _exported(module: nn.Module, inputs: tuple[Tensor, ...], gradients: bool = True) -> None:
    """The same by torch.export.

    Args:
        gradients: whether they are recorded. Where they are, torch.export sees through functions of a decoder that have
            a backward of their own; where not, a decoder in a loop would have oneDNN reorder its weights.
    """
    with torch.no_grad():
        expected = module(*inputs)
    with torch.set_grad_enabled(gradients), shared_steps.loop(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(module, inputs)
    targets = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert all(target.startswith(WRAPPERS) for target in targets), targets
    with torch.no_grad():
        torch.testing.assert_close(tuple(exported.module()(*inputs)), tuple(expected))


def _classes_once() -> list[Any]:
    """All decoders; those whose classes one before them has are slow: what decides what is recorded is the class's."""
    cases, seen = [], set()
    for attend, spell in EVERY:
        classes = (part("attend", attend)["_target_"], part("spell", spell)["_target_"])
        cases.append(pytest.param(attend, spell, marks=[pytest.mark.slow] if classes in seen else []))
        seen.add(classes)
    return cases


@pytest.mark.parametrize(("attend", "spell"), EVERY)
def test_a_decoder_step_is_traced_as_plain_operations(attend: str, spell: str) -> None:
    _traced(*_steps(attend, spell))


@pytest.mark.parametrize("gradients", [True, False], ids=["gradients", "no gradients"])
@pytest.mark.parametrize(("attend", "spell"), _classes_once())
def test_a_decoder_step_is_exported_as_plain_operations(attend: str, spell: str, gradients: bool) -> None:
    _exported(*_steps(attend, spell), gradients)


@pytest.mark.parametrize(
    ("listen", "lstm"),
    [*((listen, "auto") for listen in names("listen")), ("blstm", "packed"), ("blstm", "recomputed")],
)
def test_an_encoder_is_recorded_as_plain_operations(listen: str, lstm: str) -> None:
    _traced(*_encoding(listen, lstm))
    _exported(*_encoding(listen, lstm))


@pytest.mark.parametrize(
    "made",
    [lambda: _steps("location", "lstm"), lambda: _encoding("pyramid", "auto"), lambda: _encoding("conformer", "auto")],
)
def test_onnx_computes_the_same(made: Any) -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    module, inputs = made()
    file = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = module(*inputs)
        torch.onnx.export(module, inputs, file, dynamo=False, opset_version=17)
    session = runtime.InferenceSession(file.getvalue())
    read = {place.name: tensor.numpy() for place, tensor in zip(session.get_inputs(), inputs, strict=True)}
    found = [torch.from_numpy(one) for one in session.run(None, read)]
    torch.testing.assert_close(found, list(expected), rtol=1e-4, atol=1e-5)
