"""Trying the promises of a contract on one implementation of it: one finding per promise, with the number measured.

`lasasr check` prints the findings, and the tests run them over everything that is shipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

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

    Whatever a third party's code raises breaks the promise that was being tried, and becomes its number.
    """
    for promise, attempt in promises.items():
        try:
            with torch.random.fork_rng(devices=[] if device == "cpu" else None):
                measured = attempt(trial())
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            measured = Measured(False, f"{type(error).__name__}: {lines[0][:160]}")
        yield Finding(promise, measured.kept, measured.number)


def largest(tensors: Iterable[Tensor]) -> float:
    """The largest absolute value in any of `tensors`; NaN if there is one (which Python's `max` would pass over)."""
    flat = [tensor.detach().double().abs().flatten() for tensor in tensors]
    return float(torch.cat([*flat, torch.zeros(1, dtype=torch.float64, device=flat[0].device)]).max())


def within(number: float, limit: float) -> Measured:
    """Kept where `number` <= `limit`; NaN is not."""
    return Measured(number <= limit, f"{number:.1e} <= {limit:.0e}")
