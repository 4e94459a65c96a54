"""How much memory the tensors of a computation take, by the allocator's own books; for benchmarks and tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def peak_bytes(work: Callable[[], object]) -> int:
    """The most bytes that tensors made by `work` on the CPU, and oneDNN's copies of them, hold at one time."""
    with torch.profiler.profile(profile_memory=True) as profile:
        work()
    recorded: Any = profile.profiler
    events = [event for event in recorded.kineto_results.events() if event.name() == "[memory]"]
    live = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        most = max(most, live)
    return most
