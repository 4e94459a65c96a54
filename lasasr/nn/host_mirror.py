"""What the host knows of tensors on a device, so that it need not ask and wait.

A GPU is busy as long as the host runs ahead of it. To read a value (`.cpu()`, `.item()`, `nonzero`) the host waits for
all that it has queued, and so it does for a copy to the device from memory that is not page-locked. But lengths and
tokens come from the host: what `to` sends it still knows, and arithmetic that is marked `on_both_sides` is done twice,
on the device and, in a few microseconds, on the host. Where nothing is known, and on a CPU, everything is as if this
file were not there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import torch
from torch import Tensor

P = ParamSpec("P")
_NAME = "_lasasr_on_host"  # the attribute of a tensor on a device; copies and views do not inherit it


def to(tensor: Tensor, device: torch.device | str) -> Tensor:
    """`tensor`, from the CPU, on `device` without a wait; of integers (lengths, tokens) the host keeps the values."""
    kind = torch.device(device).type
    if kind == "cpu" or tensor.device.type != "cpu":
        return tensor.to(device)
    locked = tensor if kind == "mps" or tensor.is_pinned() else tensor.pin_memory()
    moved = locked.to(device, non_blocking=kind != "mps")
    return moved if tensor.is_floating_point() else remember(moved, tensor)


def remember(tensor: Tensor, values: Tensor) -> Tensor:
    """Let the host know the values of a tensor on a device; returns the tensor."""
    setattr(tensor, _NAME, (values, _version(tensor)))
    return tensor


def known(tensor: Tensor) -> Tensor | None:
    """Its values on the CPU, if the host knows them; nothing is known of a tensor that was changed in place."""
    if tensor.device.type == "cpu":
        return tensor
    values, version = getattr(tensor, _NAME, (None, None))
    return values if version == _version(tensor) else None


def of(tensor: Tensor) -> Tensor:
    """Its values on the CPU; where the host does not know them it waits for the device."""
    values = known(tensor)
    return tensor.cpu() if values is None else values


def on_both_sides(function: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Arithmetic that the host does too, where it knows every tensor; tensors are positional arguments."""

    @wraps(function)
    def both(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        result = function(*args, **kwargs)
        if result.device.type == "cpu":
            return result
        here: list[Any] = [known(one) if isinstance(one, Tensor) else one for one in args]
        unknown = any(one is None for one in here) or any(isinstance(one, Tensor) for one in kwargs.values())
        return result if unknown else remember(result, function(*here, **kwargs))

    return both


def _version(tensor: Tensor) -> int:
    """Counts changes in place; a tensor of inference mode does not count them."""
    return -1 if tensor.is_inference() else tensor._version
