"""A computation that keeps its inputs alone for the backward pass, in which it is done again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lasasr.nn import tracing


def recomputed(function: Callable[..., Tensor], *arguments: Tensor) -> Tensor:
    """`function(*arguments)`, differentiable once, for less memory and one more forward pass.

    Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost, §3. In place of `torch.utils.checkpoint`, whose one
    kind knows only `backward()` and whose other does not see what two threads of `concurrently` save.

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
        wanted = ctx.needs_input_grad[1:]
        with torch.enable_grad():
            arguments = [one.detach().requires_grad_(w) for one, w in zip(ctx.saved_tensors, wanted, strict=True)]
            again = ctx.function(*arguments)
        found = iter(torch.autograd.grad(again, [one for one in arguments if one.requires_grad], gradient))
        return None, *(next(found) if w else None for w in wanted)
