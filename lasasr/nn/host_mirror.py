"""Copies on the host of integer tensors on a device, so that the host reads their values without a wait.

A GPU is busy as long as the host runs ahead of it. To read a value (`.cpu()`, `.item()`, `nonzero`) the host waits for
all that it has queued, and so it does for a copy to the device from memory that is not page-locked. But lengths and
tokens come from the host: of what `to` sends, the host keeps the values, and arithmetic that is marked `mirrored` is
done twice, on the device and, in a few microseconds, on the host. Where the host has no values, and on a CPU, the
functions of this file are the plain operations.
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
    """Keep the values of a tensor on a device for the host; returns the tensor."""
    setattr(tensor, _NAME, (values, _version(tensor)))
    return tensor


def host_value(tensor: Tensor) -> Tensor | None:
    """The values of `tensor` on the CPU, if the host has them; it has none of a tensor that was changed in place."""
    if tensor.device.type == "cpu":
        return tensor
    values, version = getattr(tensor, _NAME, (None, None))
    return values if version == _version(tensor) else None


def on_host(tensor: Tensor) -> Tensor:
    """The values of `tensor` on the CPU; where the host does not have them it waits for the device."""
    values = host_value(tensor)
    return tensor.cpu() if values is None else values


def mirrored(function: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Arithmetic that the host does too, where it has the values of every tensor; tensors are positional arguments."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        result = function(*args, **kwargs)
        if result.device.type == "cpu":
            return result
        host_args: list[Any] = [host_value(argument) if isinstance(argument, Tensor) else argument for argument in args]
        unknown = any(argument is None for argument in host_args) or any(
            isinstance(argument, Tensor) for argument in kwargs.values()
        )
        return result if unknown else remember(result, function(*host_args, **kwargs))

    return wrapper


def _version(tensor: Tensor) -> int:
    """Counts changes in place; a tensor of inference mode does not count them."""
    return -1 if tensor.is_inference() else tensor._version
