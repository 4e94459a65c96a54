"""The most memory that training held on a GPU, and the memory of the machine."""

from __future__ import annotations

import os

import torch


def watch_peak(device: torch.device) -> None:
    """Begin to measure: forget the highest value so far."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_mib(device: torch.device) -> int | None:
    """Highest memory of all tensors since `watch_peak`, MiB.

    None on a CPU: a process keeps what it frees, so that in a sweep a run would be charged for those before it.
    """
    return round(torch.cuda.max_memory_allocated(device) / 2**20) if device.type == "cuda" else None


def memory_bytes() -> int | None:
    """Bytes of memory of the machine, where the system says."""
    if "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
