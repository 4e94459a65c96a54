"""Layers whose weights a loop shares are torch's own layers, in values, gradients and in all that is done to them."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

from lasasr.nn import shared_steps
from lasasr.nn.shared_layers import SharedLinear

STEPS = 4


def _pair(bias: bool = True, dtype: torch.dtype = torch.double) -> tuple[SharedLinear, nn.Linear, Tensor]:
    """The layer, torch's own with the same weights, and inputs (3, 2, 5)."""
    torch.manual_seed(0)
    ours, theirs = SharedLinear(5, 5, bias=bias, dtype=dtype), nn.Linear(5, 5, bias=bias, dtype=dtype)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs, torch.randn(3, 2, 5, dtype=dtype)


def _passed(layer: nn.Module, inputs: Tensor) -> list[Tensor]:
    """What STEPS applications in a loop make of the inputs, and all gradients."""
    inputs = inputs.clone().requires_grad_()
    values = inputs
    with shared_steps.loop():
        for _ in range(STEPS):
            values = layer(values).tanh()
    return [values, *torch.autograd.grad(values.square().sum(), [inputs, *layer.parameters()])]


@pytest.mark.parametrize("bias", [True, False])
def test_values_and_gradients_are_those_of_torchs_layer(bias: bool) -> None:
    ours, theirs, inputs = _pair(bias)
    torch.testing.assert_close(_passed(ours, inputs), _passed(theirs, inputs))
    with torch.no_grad():
        torch.testing.assert_close(ours(inputs), theirs(inputs))


@pytest.mark.parametrize("rows", [1, 10])
def test_without_gradients_a_loop_gives_the_same(rows: int) -> None:
    ours, theirs, _ = _pair(dtype=torch.float32)
    inputs = torch.randn(rows, 5)
    with torch.inference_mode(), shared_steps.loop():
        torch.testing.assert_close(ours(inputs), theirs(inputs))


class Scaled(nn.Module):
    """A parametrisation that counts how often it is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(3.0, dtype=torch.double))
        self.computed = 0

    def forward(self, weight: Tensor) -> Tensor:
        self.computed += 1
        return self.scale * weight


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_a_parametrisation_has_its_effect_and_is_computed_once_per_loop(name: str) -> None:
    ours, theirs, inputs = _pair()
    for layer in (ours, theirs):
        parametrize.register_parametrization(layer, name, Scaled())
    counted = ours.parametrizations[name][0]  # type: ignore[index]
    counted.computed = 0
    passed = _passed(ours, inputs)
    assert counted.computed == 1
    torch.testing.assert_close(passed, _passed(theirs, inputs))
    with torch.no_grad(), shared_steps.loop():
        torch.testing.assert_close(ours(inputs), theirs(inputs))


def test_what_torch_does_to_linear_layers_it_does_to_this_one() -> None:
    """Weight normalisation, pruning by a hook that sets `weight`, copies, and swapped parameters."""
    ours, theirs, inputs = _pair()
    for layer in (ours, theirs):
        parametrizations.weight_norm(layer)
    torch.testing.assert_close(_passed(ours, inputs), _passed(theirs, inputs))
    ours, theirs, inputs = _pair()
    for layer in (ours, theirs):
        prune.custom_from_mask(layer, "weight", torch.eye(5))  # type: ignore[no-untyped-call]
    torch.testing.assert_close(_passed(ours, inputs), _passed(theirs, inputs))
    ours, theirs, inputs = _pair()
    torch.testing.assert_close(_passed(copy.deepcopy(ours), inputs), _passed(theirs, inputs))
    weights = {name: torch.randn_like(value) for name, value in theirs.state_dict().items()}
    with shared_steps.loop():
        result = torch.func.functional_call(ours, weights, inputs)
    torch.testing.assert_close(result, torch.func.functional_call(theirs, weights, inputs))


class Doubling(Tensor):
    """A weight that brings its own product, as a quantised one does."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        with torch._C.DisableTorchFunctionSubclass():
            plain = [arg.as_subclass(Tensor) if isinstance(arg, Doubling) else arg for arg in args]
            result = function(*plain, **(kwargs or {}))
        return 2 * result if function is nn.functional.linear else result


@pytest.mark.parametrize("grad", [True, False])
def test_a_weight_of_its_own_kind_brings_its_own_product(grad: bool) -> None:
    ours, _, inputs = _pair(bias=False, dtype=torch.float32)
    expected = 2 * ours(inputs)
    del ours.weight
    ours.weight = Doubling(_pair(bias=False, dtype=torch.float32)[0].weight.detach())
    with torch.set_grad_enabled(grad), shared_steps.loop():
        torch.testing.assert_close(ours(inputs).as_subclass(Tensor), expected)


def test_hooks_run_in_every_step() -> None:
    ours, theirs, inputs = _pair()
    for layer in (ours, theirs):
        layer.register_forward_hook(lambda layer, read, result: 2 * result)
        layer.register_full_backward_hook(lambda layer, into, out: (3 * into[0],))
    torch.testing.assert_close(_passed(ours, inputs), _passed(theirs, inputs))
