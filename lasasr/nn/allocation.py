"""Modules that are built no larger than they may be: what would take more memory is refused before it takes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# what building may take beside what is stored: constants such as windows and filters, and what is thrown away again
_OF_WEIGHTS: Final = 4
_SPARE_BYTES: Final = 1 << 28
_SPARE_TENSORS: Final = 1000


class TooLargeError(Exception):
    """More, or larger, tensors than allowed."""


class Bounded(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is open, tensors are made until their sum is too large or they are too many.

    Layers make their parameters one by one by factories (`torch.empty`); each is asked for its size on the meta device,
    which has no memory, before it is made. What operations on tensors give is bounded by their broadcast shape.

    Args:
        most_bytes: of all that factories make together, and of one result.
        most_tensors: that factories make; a hundred thousand layers need no memory to speak of, but time.
    """

    def __init__(self, most_bytes: int, most_tensors: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._bytes_left, self._tensors_left, self._most_bytes = most_bytes, most_tensors, most_bytes

    def __torch_dispatch__(
        self, func: Any, types: Iterable[Any], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Check, then do it."""
        options = dict(kwargs or {})
        shapes = [value.shape for value in (*args, *options.values()) if isinstance(value, Tensor)]
        if not shapes:
            self._make(func, args, options)
        elif len(shapes) > 1:
            self._refuse_above(_broadcast(shapes) * torch.float64.itemsize, self._most_bytes)
        return func(*args, **options)

    def _make(self, func: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> None:
        if "device" not in options:
            return  # no factory: a generator is seeded, say
        planned = func(*args, **{**options, "device": torch.device("meta"), "pin_memory": False})
        self._tensors_left -= 1
        if self._tensors_left < 0:
            raise TooLargeError("it has far more layers")
        if isinstance(planned, Tensor):
            self._refuse_above(planned.numel() * planned.element_size(), self._bytes_left)
            self._bytes_left -= planned.numel() * planned.element_size()

    def _refuse_above(self, needed: int, allowed: int) -> None:
        if needed > allowed:
            raise TooLargeError(f"one of its tensors needs {needed / 2**20:,.0f} MiB")


def of_weights(stored_bytes: int, stored_tensors: int) -> Bounded:
    """What a model may take while it is built, of which so many bytes and tensors are stored."""
    return Bounded(stored_bytes * _OF_WEIGHTS + _SPARE_BYTES, stored_tensors * _OF_WEIGHTS + _SPARE_TENSORS)


def _broadcast(shapes: list[torch.Size]) -> int:
    """Elements of the shape that all of them broadcast to; 0 where they do not."""
    try:
        return math.prod(torch.broadcast_shapes(*shapes))  # type: ignore[no-untyped-call]
    except RuntimeError:
        return 0
