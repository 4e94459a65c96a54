"""A device that computes on the CPU but is none: it has values, refuses what another device would, counts waits.

A tensor "on" it is a shell around one on the CPU, so every result can be compared, branches on the kind of device go
the way they go on a GPU, and the backward pass runs in a thread of its own. It takes torch's experimental backends in
Python, which a process can set up once and before its first backward pass: import this only in a process of its own.

What waits on CUDA waits here: reading a value, finding out how many elements a mask has, copies to the CPU, copies from
memory that is not page-locked, and the copies inside torch's own CTC kernels (three each way, LossCTC.cu).
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "pretend"
COUNTED = {"nonzero", "masked_select", "equal", "_unique2", "unique_dim", "_local_scalar_dense"}
CTC = {"_ctc_loss": 3, "_ctc_loss_backward": 3}


class _Module(_DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


_setup_privateuseone_for_python_backend(NAME, _Module())
DEVICE = torch.device(NAME, 0)


class There(Tensor):
    """A tensor on the device; `inner` is where it really is."""

    inner: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: Tensor) -> There:
        made: There = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=DEVICE,
        )
        made.inner = inner
        return made

    def __repr__(self) -> str:
        return f"There({self.inner})"

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return Pretend.run(function, args, kwargs or {})


class Pretend(TorchDispatchMode):
    """While it is active tensors can be made on the device, and what is done with them is looked at.

    `waits` counts, by operator, how often the host would have waited; `calls` all that was done on the device.
    """

    waits: ClassVar[Counter[str]] = Counter()
    calls: ClassVar[Counter[str]] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.run(function, args, kwargs or {})

    @classmethod
    def run(cls, function: Any, args: Any, kwargs: Any) -> Any:
        """Do it on the CPU."""
        name, kwargs = function.overloadpacket.__name__, dict(kwargs)
        tensors = [one for one in pytree.tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        there = [one for one in tensors if isinstance(one, There)]
        to = kwargs.pop("device", None)
        if to is not None:
            kwargs["device"] = "cpu"
        on_device = bool(there) if to is None else torch.device(to).type == NAME
        if there or on_device:
            cls.calls[name] += 1
            cls._look(name, function, args, kwargs, on_device, tensors)
        result = function(*pytree.tree_map(_inner, args), **pytree.tree_map(_inner, kwargs))
        if not on_device or name == "copy_":
            return args[0] if name == "copy_" else result
        shells = {id(one.inner): one for one in there}
        return pytree.tree_map(lambda one: shells[id(one)] if id(one) in shells else _shell(one), result)

    @classmethod
    def _look(cls, name: str, function: Any, args: Any, kwargs: Any, on_device: bool, tensors: list[Tensor]) -> None:
        """Count a wait, refuse two devices."""
        if name in ("_to_copy", "copy_"):
            target, source = (args[0], args[1]) if name == "copy_" else (None, args[0])
            arrives = isinstance(target, There) if target is not None else on_device
            if arrives != isinstance(source, There):
                flag = kwargs.get("non_blocking", args[2] if name == "copy_" and len(args) > 2 else False)
                pinned = arrives and (getattr(source, "locked", False) or (source.dim() == 0 and name == "copy_"))
                if not (flag and pinned):
                    cls.waits["copy to the device" if arrives else "copy to the CPU"] += 1
            return
        cls.waits[name] += name in COUNTED
        cls.waits["CTC"] += CTC.get(name, 0)
        if name in ("index", "index_put", "index_put_", "_index_put_impl_"):
            cls.waits["boolean index"] += sum(one is not None and one.dtype == torch.bool for one in args[1])
        changed = [
            value
            for value, argument in zip(args, function._schema.arguments, strict=False)
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
        strangers = [one for one in tensors if not isinstance(one, There)]
        if name in CTC:  # lengths are wanted on the CPU
            cls.waits["copy to the CPU"] += 2 - len(strangers)
            return
        if any(one.dim() or any(one is other for other in pytree.tree_leaves(changed)) for one in strangers):
            raise RuntimeError(f"{function} was given tensors on two devices")


def _inner(one: Any) -> Any:
    return one.inner if isinstance(one, There) else one


def _shell(one: Any) -> Any:
    return There(one) if isinstance(one, Tensor) else one


def _pin_memory(tensor: Tensor, device: Any = None) -> Tensor:
    locked = tensor.detach().clone()
    locked.locked = True
    return locked


def _is_pinned(tensor: Tensor, device: Any = None) -> bool:
    return getattr(tensor, "locked", False)


_real_tolist = Tensor.tolist


def _tolist(tensor: Tensor) -> Any:
    return _real_tolist(tensor.cpu())


_real_tensor = torch.tensor


def _tensor(data: Any, *, device: Any = None, **options: Any) -> Tensor:
    """Of a Python value: torch makes it on the CPU and copies it, out of a mode's sight."""
    here = data if isinstance(data, Tensor) else _real_tensor(data, **options)
    return here if device is None else here.to(device)


_real_lstm, _real_cell = torch._VF.lstm, torch._VF.lstm_cell


def _lstm(*args: Any) -> Any:
    """As cuDNN does it: one operation, packed sequences with their sizes on the CPU."""
    return _at_once(_real_lstm, args, args[1] if isinstance(args[1], Tensor) else None)


def _lstm_cell(*args: Any) -> Any:
    """As CUDA does it: one operation after its products."""
    return _at_once(_real_cell, args, None)


def _at_once(function: Any, args: Any, stays: Tensor | None) -> Any:
    flat, spec = pytree.tree_flatten(args)
    if not any(isinstance(one, There) for one in flat):
        return function(*args)
    strangers = [one for one in flat if isinstance(one, Tensor) and not isinstance(one, There)]
    if any(one is not stays for one in strangers) or isinstance(stays, There):
        raise RuntimeError(f"{function} was given tensors on two devices")
    return _AtOnce.apply(function, spec, *flat)


class _AtOnce(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, function: Any, spec: Any, *flat: Any) -> Any:
        Pretend.calls[function.__name__] += 1
        ctx.leaves = [_leaf(one) for one in flat]
        with torch.enable_grad():
            ctx.results = function(*pytree.tree_unflatten(ctx.leaves, spec))
        return tuple(There(one.detach()) for one in ctx.results)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        wanted = [one for one in ctx.leaves if isinstance(one, Tensor) and one.requires_grad]
        found = iter(torch.autograd.grad(ctx.results, wanted, [_inner(one) for one in gradients]))
        given = [isinstance(one, Tensor) and one.requires_grad for one in ctx.leaves]
        return None, None, *(There(next(found)) if one else None for one in given)


# what a mode does not see, for the life of the process
for owner, name, function in (
    (torch._VF, "lstm", _lstm),
    (torch, "lstm", _lstm),
    (torch._VF, "lstm_cell", _lstm_cell),
    (torch, "tensor", _tensor),
    (torch, "as_tensor", _tensor),
    (Tensor, "pin_memory", _pin_memory),
    (Tensor, "is_pinned", _is_pinned),
    (Tensor, "tolist", _tolist),
):
    setattr(owner, name, function)


def _leaf(one: Any) -> Any:
    if not isinstance(one, Tensor):
        return one
    floating = isinstance(one, There) and one.is_floating_point()
    return one.inner.detach().requires_grad_() if floating else _inner(one)
