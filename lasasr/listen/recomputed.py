"""A computation that keeps its inputs alone for the backward pass, in which it is repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lasasr.nn import tracing


def recomputed(function: Callable[..., Tensor], *arguments: Tensor) -> Tensor:
    """`function(*arguments)`, differentiable once, for less memory and one more forward pass.

    Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost, §3. In place of `torch.utils.checkpoint`, whose one
    kind has only `backward()` and whose other does not track what two threads of `concurrently` save.

    Args:
        function: pure; draws no random numbers, uses no other tensor that requires a gradient, and does the same
            whether gradients are recorded or not.
    """
    if tracing.active():
        return function(*arguments)
    result: Tensor = _Recomputed.apply(function, *arguments)
    return result


class _Recomputed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, function: Callable[..., Tensor], *arguments: Tensor) -> Tensor:
        ctx.function = function
        ctx.save_for_backward(*arguments)
        return function(*arguments)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        needs_gradient = ctx.needs_input_grad[1:]
        with torch.enable_grad():
            pairs = zip(ctx.saved_tensors, needs_gradient, strict=True)
            arguments = [saved.detach().requires_grad_(needs) for saved, needs in pairs]
            again = ctx.function(*arguments)
        differentiable = [argument for argument in arguments if argument.requires_grad]
        gradients = iter(torch.autograd.grad(again, differentiable, gradient))
        return None, *(next(gradients) if needs else None for needs in needs_gradient)
