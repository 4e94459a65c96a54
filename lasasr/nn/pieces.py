"""What is computed of large outputs, piece by piece, so that no output exists as a whole: neither it nor its gradient.

A vocabulary of 10,000 tokens makes 128 MB of logits for 16 utterances of 200 frames, and log-probabilities, the
gradients of both and what is masked in them take as much again each. A loss needs few numbers of each frame. So pieces
of the frames are computed one after another, and once more in the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from lasasr.nn import concurrent, tracing

LARGE: Final = 4096  # outputs of a layer from which on they are made in pieces
ELEMENTS: Final = 2**22  # of the output of a piece: 16 MB in float32, beside which the rest of a step is large

Function = Callable[..., Tensor]


def worth(outputs: int) -> bool:
    """Whether a layer of so many outputs is computed in pieces: smaller ones take little memory as a whole."""
    return outputs >= LARGE


def in_pieces(function: Function, rows: Sequence[Tensor], module: nn.Module, outputs: int) -> Tensor:
    """`function(*rows)`, differentiable once, of as many rows at a time as make ELEMENTS outputs.

    On a CPU each half of the rows has a thread of its own, as the two halves of a batch have in the decoder's loop.

    Args:
        function: a tensor (n, ...) from rows (n, ...), each row by itself; pure, draws no random numbers, and uses no
            tensor that requires a gradient but the rows and the parameters of `module`.
        rows: tensors (N, ...).
        module: that `function` calls.
        outputs: of a row, large, that exist within `function`.
    """
    if tracing.active():
        return function(*rows)
    size = max(1, ELEMENTS // outputs)
    weights = [parameter for parameter in module.parameters() if parameter.requires_grad]
    count, half = len(rows), len(rows[0]) // 2
    needs_gradient = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (*rows, *weights))

    def part(*tensors: Tensor) -> Tensor:
        if not needs_gradient:
            return _forward(function, size, tensors[:count])
        result: Tensor = _Pieces.apply(function, size, count, *tensors)
        return result

    if rows[0].device.type != "cpu" or half < size or concurrent.cores_per_process() < 2:
        return part(*rows, *weights)
    first, second = ([*(tensor[which] for tensor in rows), *weights] for which in (slice(half), slice(half, None)))
    return torch.cat(concurrent.concurrently(part, part, first, second))


def _forward(function: Function, size: int, rows: Sequence[Tensor]) -> Tensor:
    return torch.cat([function(*piece) for piece in zip(*(torch.split(tensor, size) for tensor in rows), strict=True)])


class _Pieces(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, function: Function, size: int, count: int, *tensors: Tensor) -> Tensor:
        """tensors: `count` of rows, then the parameters."""
        kind = tensors[0].device.type
        ctx.autocast = kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind)
        ctx.function, ctx.size, ctx.count = function, size, count
        ctx.save_for_backward(*tensors)
        with _autocast(*ctx.autocast):
            return _forward(function, size, tensors[:count])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        rows, parameters = ctx.saved_tensors[: ctx.count], ctx.saved_tensors[ctx.count :]
        needed = ctx.needs_input_grad[3 : 3 + ctx.count]
        into = [torch.empty_like(tensor) if need else None for tensor, need in zip(rows, needed, strict=True)]
        wholes = [whole for whole in into if whole is not None]
        sums: list[Tensor | None] = [None] * len(parameters)
        for start in range(0, len(gradient), ctx.size):
            inside = slice(start, start + ctx.size)
            pieces = [tensor[inside].detach().requires_grad_(need) for tensor, need in zip(rows, needed, strict=True)]
            with torch.enable_grad(), _autocast(*ctx.autocast):
                result = ctx.function(*pieces)
            wanted = [piece for piece in pieces if piece.requires_grad]
            found = torch.autograd.grad(result, [*wanted, *parameters], gradient[inside], allow_unused=True)
            for whole, value in zip(wholes, found, strict=False):
                whole[inside] = 0.0 if value is None else value
            for index, value in enumerate(found[len(wholes) :]):
                if value is not None:
                    total = sums[index]
                    sums[index] = value.clone() if total is None else total.add_(value)
        return None, None, None, *into, *sums


def _autocast(kind: str, dtype: torch.dtype, enabled: bool) -> torch.autocast:
    """As it was in the forward pass, but no weight that is cast in one piece is kept for the next."""
    return torch.autocast(kind, dtype, enabled=enabled, cache_enabled=False)
