"""Trying the promises of a contract on one implementation of it: one finding per promise, with the number measured.

`lasasr check` prints the findings, and the tests run them over everything that is shipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from lasasr.errors import PartError
from lasasr.nn import devices, tree

T = TypeVar("T")


class Measured(NamedTuple):
    """What trying a promise gave."""

    kept: bool
    number: str


class Finding(NamedTuple):
    """One line of the report."""

    promise: str
    kept: bool
    number: str


def findings(promises: Mapping[str, Callable[[T], Measured]], trial: Callable[[], T], device: str) -> Iterator[Finding]:
    """Try every promise, in order, each on a trial of its own.

    Whatever a third party's code raises breaks the promise that was being tried, and becomes its number. Where a method
    returns what is of no use at all, the promises after it are not tried.

    Raises:
        UsageError: `device` is no device's name.
        LasasrError: it cannot be used here, which would look like a broken promise of each line.
    """
    devices.usable(device)
    raised: set[str] = set()
    for tried, (promise, attempt) in enumerate(promises.items(), start=1):
        try:
            with torch.random.fork_rng(devices=[] if device == "cpu" else None), float32_products():
                measured = attempt(trial())
        except PartError as error:
            yield Finding(promise, False, str(error))
            if further := len(promises) - tried:
                yield Finding(f"{further} further promises", False, "not tried, because they need what is broken here")
            return
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            number = f"{type(error).__name__}: {lines[0][:160]}"
            measured = Measured(False, f"{type(error).__name__}, as above" if number in raised else number)
            raised.add(number)
        yield Finding(promise, measured.kept, measured.number)


@contextmanager
def float32_products() -> Iterator[None]:
    """On a GPU, products of float32 are computed in float32, not in TensorFloat-32 (10 bits), cuDNN's default."""
    allowed = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = allowed


def largest(tensors: Iterable[Tensor]) -> float:
    """The largest absolute value in any of `tensors`; NaN if there is one (which Python's `max` would pass over)."""
    flat = [tensor.detach().double().abs().flatten() for tensor in tensors]
    return float(torch.cat([*flat, torch.zeros(1, dtype=torch.float64, device=flat[0].device)]).max())


def with_padding(frames: Tensor, real: Tensor, more: int, filling: float) -> tuple[Tensor, Tensor]:
    """Frames (B, T, ...) as a batch that is longer, all of whose padding holds `filling`.

    Args:
        real: (B, T) bool, True on real frames.
        more: frames of padding to add.

    Returns:
        Frames (B, T + more, ...) and the mask (B, T + more).
    """
    mask = functional.pad(real, (0, more))
    longer = frames.new_full((*mask.shape, *frames.shape[2:]), filling)
    longer[mask] = frames[real]
    return longer, mask


def untouched(before: Iterable[Tensor], after: Iterable[Tensor]) -> Measured:
    """Kept where no tensor has changed."""
    changed = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    return Measured(not any(changed), f"{sum(changed)} of {len(changed)} tensors changed")


def changed_forms(before: Any, after: Any, strides: bool = False) -> list[str]:
    """In which type, shapes, dtypes, and strides if they are asked for, a state differs from what it was."""
    changed = [] if type(before) is type(after) else [f"{type(before).__name__} -> {type(after).__name__}"]
    for a, b in zip(tree.leaves(before), tree.leaves(after), strict=True):
        if (a.shape, a.dtype) != (b.shape, b.dtype) or (strides and a.stride() != b.stride()):
            changed.append(f"{tuple(a.shape)} {a.dtype} -> {tuple(b.shape)} {b.dtype}")
    return changed


def within(number: float, limit: float) -> Measured:
    """Kept where `number` <= `limit`; NaN is not."""
    return Measured(number <= limit, f"{number:.1e} <= {limit:.0e}")
