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

from lasasr.distributed import exchange
from lasasr.nn import tracing

Function = Callable[..., Tensor | tuple[Tensor, ...]]
R = TypeVar("R")


def cores_per_process() -> int:
    """Cores this process may use, shared evenly with the other ranks of a distributed run."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // exchange.world_size())


def concurrently(first: Function, second: Function, firsts: Sequence[Tensor], seconds: Sequence[Tensor]) -> list[Any]:
    """`[first(*firsts), second(*seconds)]`, differentiable once, computed in two threads where there are two cores.

    Both functions must be pure, draw no random numbers (two threads would take turns at one generator as chance has
    it) and use no tensor that requires a gradient but their arguments; a module's parameters may be passed as
    arguments and then used through the module. A hook on the gradient of an argument is called once, in one thread.
    """
    hooked = any(argument.is_leaf and argument._backward_hooks for argument in (*firsts, *seconds))
    if hooked or tracing.active() or cores_per_process() < 2:
        return [first(*firsts), second(*seconds)]
    if torch.is_grad_enabled() and any(argument.requires_grad for argument in (*firsts, *seconds)):
        shapes: list[int] = []
        results = iter(_Concurrent.apply(shapes, first, second, len(firsts), *firsts, *seconds))
        return [tuple(next(results) for _ in range(count)) if count else next(results) for count in shapes]
    return _both(lambda: _without_gradient(first, firsts), lambda: _without_gradient(second, seconds))


def _without_gradient(function: Function, arguments: Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    with torch.no_grad():  # the mode belongs to the thread, so each sets its own
        return function(*arguments)


def _cut(argument: Tensor) -> Tensor:
    """Where a thread's graph begins: leaves as they are, so that a module's own parameters are found again."""
    return argument if argument.is_leaf else argument.detach().requires_grad_(argument.requires_grad)


_Trace = tuple[list[Tensor], tuple[Tensor, ...]]


class _Concurrent(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, shapes: list[int], first: Function, second: Function, count: int, *arguments: Tensor
    ) -> tuple[Tensor, ...]:
        """Appends to `shapes` how many tensors each function's tuple has; 0 for one that returned a bare tensor."""

        def traced(function: Function, own: Sequence[Tensor]) -> tuple[list[Tensor], Any]:
            cut = [_cut(argument) for argument in own]
            with torch.enable_grad():
                return cut, function(*cut)

        traces = _both(lambda: traced(first, arguments[:count]), lambda: traced(second, arguments[count:]))
        shapes += [len(results) if isinstance(results, tuple) else 0 for _, results in traces]
        ctx.traces = [(cut, results if isinstance(results, tuple) else (results,)) for cut, results in traces]
        return tuple(result.detach() for _, results in ctx.traces for result in results)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        keep = torch._C._autograd._get_current_graph_task_keep_graph()  # the caller's retain_graph

        def through(trace: _Trace, gradients: Sequence[Tensor]) -> list[Tensor | None]:
            arguments, results = trace
            differentiable = [argument for argument in arguments if argument.requires_grad]
            into = [pair for pair in zip(results, gradients, strict=True) if pair[0].requires_grad]
            if not differentiable or not into:
                return [None] * len(arguments)
            ends, end_gradients = zip(*into, strict=True)
            argument_gradients = iter(
                torch.autograd.grad(ends, differentiable, end_gradients, retain_graph=keep, allow_unused=True)
            )
            return [next(argument_gradients) if argument.requires_grad else None for argument in arguments]

        first_trace, second_trace = ctx.traces
        split = len(first_trace[1])
        input_gradients = _both(
            lambda: through(first_trace, gradients[:split]), lambda: through(second_trace, gradients[split:])
        )
        return (None, None, None, None, *input_gradients[0], *input_gradients[1])


def _both(first: Callable[[], R], second: Callable[[], R]) -> list[R]:
    """Run `second` in the other thread and `first` in this one, each with half of the OpenMP threads."""
    threads = torch.get_num_threads()
    precision = torch.get_autocast_dtype("cpu"), torch.is_autocast_enabled("cpu")

    def limited(function: Callable[[], R]) -> R:
        torch.set_num_threads(max(1, threads // 2))  # holds for the calling thread, and so does autocast
        with torch.autocast("cpu", precision[0], enabled=precision[1]):
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
