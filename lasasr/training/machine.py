"""What the machine is good at: threads and precision, where the configuration leaves them open."""

from __future__ import annotations

import os

import torch

from lasasr.concurrent import cores_per_process


def set_threads(threads: int | None) -> int:
    """Set torch's CPU threads and return them.

    Args:
        threads: None: half the cores, because the two directions of a layer and the two halves of a batch run at
            once; what `OMP_NUM_THREADS` says goes before.
    """
    chosen = threads or int(os.environ.get("OMP_NUM_THREADS") or max(1, cores_per_process() // 2))
    torch.set_num_threads(chosen)
    return chosen


def computes_bf16(accelerator: str) -> bool:
    """Whether the device multiplies bfloat16 itself; emulated, it would be slower than float32.

    Args:
        accelerator: of the Trainer: "auto", "cpu", "cuda", "gpu", ...
    """
    if accelerator != "cpu" and torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return _cpu_computes_bf16()


def _cpu_computes_bf16() -> bool:
    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(bool(ask()) for ask in asked if ask is not None)
