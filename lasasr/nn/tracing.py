"""Whether torch is writing down the operations of a module in place of merely running them."""

from __future__ import annotations

import torch


def active() -> bool:
    """True while `torch.compile`, `torch.export`, `torch.jit.trace` or `torch.onnx.export` record what is computed.

    A recorder wants plain operations: autograd functions of our own, other threads and tensors kept from an earlier
    step have no meaning in its graph.
    """
    return torch.compiler.is_compiling() or torch._C._is_tracing()


def exporting() -> bool:
    """The same without `torch.compile`, whose graph is run here and may keep operations that only torch has."""
    if torch.compiler.is_compiling():  # it can read its own flags, not those of torch.jit
        return torch.compiler.is_exporting()
    return torch._C._is_tracing()
