"""Products inside a loop whose gradients are accumulated: one product after the loop in place of one per step.

Autograd gives what U steps share (a weight, the keys and values of an utterance) U gradients of its own size and adds
them up, which costs more than the steps themselves. Inside `loop()` the functions of this file keep the small factors
of each step and multiply them once, when the backward pass has come through all steps. Outside of it, where no
gradient is recorded, and while torch exports or compiles (`tracing.py`), they are the plain operations; the values are
the same either way.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lasasr.nn import tracing

R = TypeVar("R")
T = TypeVar("T", bound="GradientAccumulator")


class _Open(threading.local):
    """The loop of this thread: what its steps share, by key. None: no loop."""

    shared: dict[Hashable, Any] | None = None
    lasting: dict[Hashable, Any] | None = None  # what is made of parameters alone
    inner: bool = False  # whether another loop is open around this one


_open = _Open()


@contextmanager
def loop() -> Iterator[None]:
    """While it is open, what the steps share is prepared once and differentiated once; one per thread.

    What is shared must not change while the loop is open. Gradients of gradients are refused. What is made of
    parameters alone is shared with a loop around this one, where there is one: with all batches of an evaluation, say.
    """
    before = _open.shared, _open.lasting, _open.inner
    traced = tracing.active()
    _open.inner = _open.lasting is not None
    _open.shared = None if traced else {}
    _open.lasting = None if traced else {} if _open.lasting is None else _open.lasting
    try:
        yield
    finally:
        _open.shared, _open.lasting, _open.inner = before


def _shares() -> bool:
    """Whether a loop is open, and torch is not recording the operations of a step to run them elsewhere."""
    return not tracing.active() and _open.shared is not None


def recording() -> bool:
    """Whether a loop is open and gradients are recorded, so that functions with a backward of their own are of use."""
    return _shares() and torch.is_grad_enabled()


def preparing() -> bool:
    """Whether a loop is open and no gradients are recorded, so that what the steps share may be worked on first."""
    return _shares() and not torch.is_grad_enabled()


def lasting() -> bool:
    """Whether what is made of parameters alone outlives this loop, because another one is open around it."""
    return _open.inner


def cached(make: Callable[..., R], *arguments: Any) -> R:
    """`make(*arguments)`; within a loop the result of the first call with these very objects (numbers: values)."""
    if not _shares() or _open.shared is None or _open.lasting is None:
        return make(*arguments)
    shared = _open.lasting if all(isinstance(argument, nn.Parameter) for argument in arguments) else _open.shared
    key = (
        torch.is_grad_enabled(),
        make,
        *(argument if isinstance(argument, int | float | str) else id(argument) for argument in arguments),
    )
    if key not in shared:
        shared[key] = make(*arguments), arguments  # the arguments are kept, so that their ids stay theirs
    return cast(R, shared[key][0])


def forget() -> None:
    """Within a loop: let go of what was made of other things than parameters, as when utterances leave a search."""
    if _open.shared is not None:
        _open.shared.clear()


class GradientAccumulator(ABC):
    """What the steps of one loop add to the gradient of one tensor."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.detach()
        self.needs_gradient = tensor.requires_grad
        self.task = -1

    def begins(self) -> bool:
        """Whether this is the first addition of a backward pass; an abandoned one may have left something behind."""
        last, self.task = self.task, torch._C._current_graph_task_id()
        return last != self.task

    @abstractmethod
    def gradient(self) -> Tensor:
        """The whole gradient; the accumulator is empty afterwards."""


class Shared(NamedTuple, Generic[T]):
    """A gradient accumulator, and what ties it to autograd's graph.

    A function of a step takes `handle` as an argument and returns None as its gradient: so autograd asks the
    accumulator for its gradient after the last step has added to it.
    """

    accumulator: T
    handle: Tensor


class _Handle(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, accumulator: GradientAccumulator, tensor: Tensor) -> Tensor:
        ctx.accumulator = accumulator
        ctx.set_materialize_grads(False)
        return tensor.new_empty(0)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, _: Tensor | None) -> tuple[None, Tensor | None]:
        gradient = ctx.accumulator.gradient() if ctx.accumulator.task == torch._C._current_graph_task_id() else None
        ctx.accumulator.task = -1
        return None, gradient


def begin(accumulator: T, tensor: Tensor) -> Shared[T]:
    """Tie an accumulator to the tensor whose gradient it collects; once per loop."""
    return Shared(accumulator, _Handle.apply(accumulator, tensor))


class Sum(GradientAccumulator):
    """A gradient that every step adds to, in at least float32.

    Args:
        tensor: whose gradient it is.
        finish: makes the gradient of what the steps have added up.
    """

    def __init__(self, tensor: Tensor, finish: Callable[[Tensor], Tensor]) -> None:
        super().__init__(tensor)
        self.finish = finish
        self.total: Tensor | None = None

    def add(self, gradient: Tensor) -> None:
        """Add a gradient."""
        if self.begins() or self.total is None:
            self.total = gradient.to(torch.promote_types(gradient.dtype, torch.float32), copy=True)
        else:
            self.total += gradient

    def gradient(self) -> Tensor:
        """What `finish` makes of Σ, in the tensor's own precision."""
        total, self.total = self.total, None
        assert total is not None
        return self.finish(total).to(self.tensor.dtype)


class Product(GradientAccumulator):
    """The right factor of a product, (..., N, O)."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__(tensor)
        self.lefts: list[Tensor] = []
        self.gradients: list[Tensor] = []

    def add(self, left: Tensor, gradient: Tensor) -> None:
        """Add leftᵀ · gradient."""
        if self.begins():
            self.lefts, self.gradients = [], []
        self.lefts.append(left)
        self.gradients.append(gradient)

    def factors(self) -> tuple[Tensor, Tensor]:
        """Both sides of all steps, one below the other."""
        lefts, gradients, self.lefts, self.gradients = self.lefts, self.gradients, [], []
        return torch.cat(lefts, -2), torch.cat(gradients, -2)

    def gradient(self) -> Tensor:
        """Σ leftᵀ · gradient as one product, whose inner dimension is that of all steps together."""
        left, gradient = self.factors()
        return left.transpose(-2, -1) @ gradient


class TransposedProduct(Product):
    """The same for a factor that is kept as its transpose, (..., O, N)."""

    def gradient(self) -> Tensor:
        """Σ gradientᵀ · left."""
        left, gradient = self.factors()
        return gradient.transpose(-2, -1) @ left


def product(left: Tensor, right: Tensor, transposed: bool = False) -> Tensor:
    """`left @ right`, or with `transposed` `left @ right.mT`, for a right factor that all steps share.

    Args:
        left: (..., M, N).
        right: (..., N, O), the same leading dimensions; (..., O, N) if `transposed`.
    """
    if not recording():
        if transposed and right.dim() == 2:
            return linear(left.to(right.dtype), right)
        right = cached(as_autocast, right)
        return left.to(right.dtype) @ (right.transpose(-2, -1) if transposed else right)
    accumulator, handle = factor(right, transposed)
    result: Tensor = _Product.apply(accumulator, transposed, handle, left.to(accumulator.tensor.dtype))
    return result


def factor(right: Tensor, transposed: bool = False) -> Shared[Product]:
    """The accumulator of a right factor, as autocast wants it, in the loop of this thread: the same in every step."""
    return cached(_factor, TransposedProduct if transposed else Product, right)


def _factor(kind: type[Product], right: Tensor) -> Shared[Product]:
    right = as_autocast(right)
    return begin(kind(right), right)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`functional.linear` of inputs (..., N) for a weight (O, N) and bias (O,) that all steps share."""
    if not recording():
        if not (preparing() and _packs(inputs, weight)):
            return functional.linear(inputs, weight, bias)
        packed: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, cached(_packed, weight), bias, "none", [], "")
        return packed
    rows = product(inputs.flatten(0, -2), weight, transposed=True).view(*inputs.shape[:-1], -1)
    return rows if bias is None else rows + cached(as_autocast, bias)


def _packs(inputs: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN may keep the weight in its own order, in which products of a few rows take half the time."""
    return (
        torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and weight.device.type == "cpu"
        and inputs.numel() > weight.shape[1]
        and inputs.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
    )


def _packed(weight: Tensor) -> Tensor:
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach())
    return packed


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, accumulator: Product, transposed: bool, handle: Tensor, left: Tensor) -> Tensor:
        ctx.accumulator, ctx.transposed = accumulator, transposed
        ctx.save_for_backward(left, accumulator.tensor)
        return left @ (accumulator.tensor.transpose(-2, -1) if transposed else accumulator.tensor)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, None, Tensor | None]:
        left, right = ctx.saved_tensors
        if ctx.accumulator.needs_gradient:
            ctx.accumulator.add(left, gradient)
        if not ctx.needs_input_grad[3]:
            return None, None, None, None
        return None, None, None, gradient @ (right if ctx.transposed else right.transpose(-2, -1))


def as_autocast(tensor: Tensor) -> Tensor:
    """The tensor in the precision in which autocast, where it is on, computes products."""
    kind = tensor.device.type
    if torch.is_autocast_enabled(kind) and tensor.dtype == torch.float32:
        return tensor.to(torch.get_autocast_dtype(kind))
    return tensor
