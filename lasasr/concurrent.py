"""Two independent computations on the CPU at once, in the forward pass and in the backward pass.

Autograd runs the CPU's backward pass in one thread. The two directions of a recurrent layer share nothing, and
giving each a thread of its own needs one meeting per layer, where OpenMP threads inside an LSTM meet several times
per frame: on two cores it halves the time and, unlike those, does no harm on a machine that is busy.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor

Function = Callable[..., Tensor]
R = TypeVar("R")


def cores_per_process() -> int:
    """Cores this process may use, shared evenly with the other ranks of a distributed run."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    return max(1, cores // torch.distributed.get_world_size()) if distributed else cores


def concurrently(
    first: Function, second: Function, firsts: Sequence[Tensor], seconds: Sequence[Tensor]
) -> list[Tensor]:
    """`[first(*firsts), second(*seconds)]`, differentiable once, computed in two threads where there are two cores.

    Both functions must be pure and use no tensor that requires a gradient but their arguments.
    """
    if cores_per_process() < 2:
        return [first(*firsts), second(*seconds)]
    if torch.is_grad_enabled() and any(argument.requires_grad for argument in (*firsts, *seconds)):
        return list(_Concurrent.apply(first, second, len(firsts), *firsts, *seconds))
    return _both(lambda: _without_gradient(first, firsts), lambda: _without_gradient(second, seconds))


def _without_gradient(function: Function, arguments: Sequence[Tensor]) -> Tensor:
    with torch.no_grad():  # the mode belongs to the thread, so each sets its own
        return function(*arguments)


class _Concurrent(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, first: Function, second: Function, count: int, *arguments: Tensor) -> tuple[Tensor, ...]:
        def traced(function: Function, own: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
            detached = [argument.detach().requires_grad_(argument.requires_grad) for argument in own]
            with torch.enable_grad():
                return detached, function(*detached)

        ctx.traces = _both(lambda: traced(first, arguments[:count]), lambda: traced(second, arguments[count:]))
        return tuple(result.detach() for _, result in ctx.traces)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        keep = torch._C._autograd._get_current_graph_task_keep_graph()  # the caller's retain_graph

        def through(trace: tuple[list[Tensor], Tensor], gradient: Tensor) -> list[Tensor | None]:
            arguments, result = trace
            wanted = [argument for argument in arguments if argument.requires_grad]
            found = iter(torch.autograd.grad(result, wanted, gradient, retain_graph=keep) if wanted else ())
            return [next(found) if argument.requires_grad else None for argument in arguments]

        (one, two), (into_one, into_two) = ctx.traces, gradients
        both = _both(lambda: through(one, into_one), lambda: through(two, into_two))
        return (None, None, None, *both[0], *both[1])


def _both(first: Callable[[], R], second: Callable[[], R]) -> list[R]:
    """Run `second` in the other thread and `first` in this one, each with half of the OpenMP threads."""
    threads = torch.get_num_threads()

    def limited(function: Callable[[], R]) -> R:
        torch.set_num_threads(max(1, threads // 2))  # holds for the calling thread
        return function()

    try:
        other = _other_thread().submit(limited, second)
        return [limited(first), other.result()]
    finally:
        torch.set_num_threads(threads)


@cache
def _other_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="second-direction")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_other_thread.cache_clear)  # a forked child has the pool but not its thread
