"""The same weights in a module of lasasr's and in a peer's, their outputs and their gradients.

What maps a peer's parameters to lasasr's is a function of tensors, so that the gradients of both modules are taken at
the same leaves: the peer's parameters, and the inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lasasr.nn import shared_steps

Parameters = dict[str, Tensor]
Outputs = Sequence[Tensor]


class _Called(nn.Module):
    """`run(module, *inputs)` as a module's forward, which is what `functional_call` calls."""

    def __init__(self, module: nn.Module, run: Callable[..., Outputs]) -> None:
        super().__init__()
        self.module, self.run = module, run

    def forward(self, *inputs: Any) -> Outputs:
        return self.run(self.module, *inputs)


def difference(
    ours: nn.Module,
    theirs: nn.Module,
    mapping: Callable[[Parameters], Parameters],
    run_ours: Callable[..., Outputs],
    run_theirs: Callable[..., Outputs],
    inputs: Sequence[Any],
) -> float:
    """The largest difference of outputs and of gradients by `theirs`' parameters and by the inputs.

    Ours runs twice: step by step, and as in training, with what the steps share computed once.

    Args:
        mapping: theirs' parameters, by their names → all of ours, by theirs.
        run_ours, run_theirs: (module, *inputs) → outputs, in the same order and of the same shapes.
    """
    theirs.double()
    leaves = dict(theirs.named_parameters())
    floating = [tensor for tensor in inputs if isinstance(tensor, Tensor) and tensor.requires_grad]
    wanted = [*leaves.values(), *floating]
    expected = list(run_theirs(theirs, *inputs))
    directions = [torch.randn_like(output) for output in expected]
    expected += _gradients(expected, directions, wanted)
    called = _Called(ours.double(), run_ours)
    buffers = dict(called.named_buffers())
    largest = 0.0
    for loop in (nullcontext, shared_steps.loop):
        mapped = {f"module.{name}": tensor for name, tensor in mapping(leaves).items()}
        with loop():
            outputs = list(functional_call(called, buffers | mapped, tuple(inputs), strict=True))
        outputs += _gradients(outputs, directions, wanted)
        largest = max([largest, *(apart(a, b) for a, b in zip(outputs, expected, strict=True))], key=_nan_last)
    return largest


def _gradients(outputs: Outputs, directions: Outputs, wanted: Sequence[Tensor]) -> list[Tensor]:
    total = sum((output * direction).sum() for output, direction in zip(outputs, directions, strict=True))
    return list(torch.autograd.grad(total, wanted, allow_unused=True, materialize_grads=True))


def apart(left: Tensor, right: Tensor) -> float:
    """The largest absolute difference, NaN where there is one.

    Raises:
        ValueError: the shapes differ.
    """
    if left.shape != right.shape:
        raise ValueError(f"the shapes must be equal, got {tuple(left.shape)} and {tuple(right.shape)}")
    return float((left - right).detach().abs().max())


def _nan_last(value: float) -> tuple[bool, float]:
    return value != value, value
