"""What the machine is good at: threads and precision, where the configuration leaves them open."""

from __future__ import annotations

import ctypes
import os
import time

import torch

from lasasr.configuration.settings import Settings
from lasasr.errors import UsageError
from lasasr.nn.concurrent import cores_per_process
from lasasr.nn.lstm import onednn_computes

_ROUNDS, _ROWS, _WIDTH = 2, 256, 512  # of a product whose time is measured: milliseconds, where it is not emulated
_SLOWER = 1.2  # a lower ratio may be chance
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")  # in which features, losses and weights stay float32


def set_threads(threads: int | None) -> int:
    """Set torch's CPU threads and return them.

    Args:
        threads: None: half the cores, because the two directions of a layer and the two halves of a batch run at
            once; what `OMP_NUM_THREADS` says goes before.
    """
    chosen = threads or int(os.environ.get("OMP_NUM_THREADS") or max(1, cores_per_process() // 2))
    torch.set_num_threads(chosen)
    return chosen


def seed_everything(seed: int) -> None:
    """Seed all generators, those of workers too."""
    import lightning.pytorch as pl  # which takes seconds, and nothing else here needs it

    pl.seed_everything(seed, workers=True, verbose=False)


def keep_freed_memory() -> bool:
    """Let this process keep the memory it frees; False where the C library has no such setting.

    Without it glibc gives every large tensor back to the system and asks for new pages, which the system fills with
    zeros: on a CPU a tenth of a training step's time, for a fifth more memory, or with the many sizes of a Conformer's
    tensors for up to 2.5 times as much (docs/performance.md, "A Conformer"). `MALLOC_...` variables go before.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc
        return False
    trim_threshold, mmap_threshold = -1, -3  # of malloc.h, in bytes
    return bool(mallopt(mmap_threshold, 2**30) and mallopt(trim_threshold, 2**31 - 1))


def precision(settings: Settings) -> str:
    """In which of `PRECISIONS` a run computes: bf16-mixed where that is fast and `bf16_if_fast` asks for it.

    Raises:
        UsageError: trainer.precision is another one.
    """
    precision = settings.trainer["precision"]
    if precision not in PRECISIONS:
        raise UsageError(f"trainer.precision={precision} is not one of {', '.join(PRECISIONS)}")
    fast = precision == "32-true" and settings.bf16_if_fast and computes_bf16(settings.trainer["accelerator"])
    return "bf16-mixed" if fast else str(precision)


def slowdown(precision: str, accelerator: str) -> float | None:
    """How many times longer a matrix product takes than in float32, measured; None where it is not slower.

    Only of a CPU, which emulates the number formats that it does not compute in: to ask for them costs many times the
    time, and nothing tells why.

    Args:
        precision: one of `PRECISIONS`.
        accelerator: of the Trainer.
    """
    if precision == "32-true" or (accelerator != "cpu" and torch.cuda.is_available()):
        return None
    half = torch.bfloat16 if precision == "bf16-mixed" else torch.float16
    times_s: dict[torch.dtype, list[float]] = {torch.float32: [], half: []}
    for _ in range(_ROUNDS):
        for dtype, spent in times_s.items():  # in turn: what else the machine does is the same for both
            left, right = torch.ones(_ROWS, _WIDTH, dtype=dtype), torch.ones(_WIDTH, _WIDTH, dtype=dtype)
            begun = time.process_time()
            left @ right
            spent.append(time.process_time() - begun)
    ratio = min(times_s[half]) / min(times_s[torch.float32])
    return ratio if ratio > _SLOWER else None


def computes_bf16(accelerator: str) -> bool:
    """Whether the device multiplies bfloat16 itself; emulated, it would be slower than float32.

    Args:
        accelerator: of the Trainer: "auto", "cpu", "cuda", "gpu", ...
    """
    if accelerator != "cpu" and torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return _cpu_computes_bf16()


def _cpu_computes_bf16() -> bool:
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    has_instructions = any(bool(check()) for check in checks if check is not None)
    return has_instructions and onednn_computes(torch.bfloat16)  # which ONEDNN_MAX_CPU_ISA may keep from using them
