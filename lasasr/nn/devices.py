"""Whether a device that somebody named can be used here, said before anything is computed on it."""

from __future__ import annotations

import torch

from lasasr.errors import LasasrError, UsageError


def usable(device: str | torch.device, option: str = "device=") -> str:
    """`device`, on which torch can make a tensor; of "auto" cuda where there is one, else cpu.

    Args:
        option: how the device was asked for, as messages repeat it: "device=" in Python, "--device " of a command.

    Raises:
        UsageError: it is the name of no device.
        LasasrError: this machine has no such device, or its driver is missing.
    """
    name = str(device)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        named = torch.device(name)
    except RuntimeError:
        raise UsageError(f"{option}{name}: write cpu, cuda, cuda:1 or auto; torch has {_listed()} here") from None
    try:
        torch.empty(1, device=named).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:  # torch without CUDA asserts
        reason = str(error).splitlines()[0].partition(". ")[0] if str(error) else type(error).__name__
        way_out = f"torch has {_listed()} here: write {option}{available()[-1]}, or {option}auto"
        raise LasasrError(f"{option}{name} cannot be used here ({reason}); {way_out}") from None
    return name


def available() -> list[str]:
    """The devices on which torch can compute on this machine, the CPU first."""
    gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return ["cpu", *(["mps"] if torch.backends.mps.is_available() else []), *gpus]


def _listed() -> str:
    names = available()
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
