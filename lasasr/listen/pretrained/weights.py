"""From model.safetensors into a model, every weight of it, or not at all."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import torch
from safetensors import safe_open
from torch import Tensor

from lasasr.errors import LasasrError
from lasasr.listen.pretrained.body import Body
from lasasr.listen.pretrained.folder import WeightsFolder
from lasasr.nn import allocation

# how weight normalisation called its two halves before torch 2.0
_RENAMED: Final = {".weight_g": ".parametrizations.weight.original0", ".weight_v": ".parametrizations.weight.original1"}
_FLOATING: Final = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def bounding(folder: WeightsFolder) -> allocation.Bounded:
    """While it is open, a model is built no larger than the weights of the folder can fill.

    Raises:
        LasasrError: the file is damaged or cut off.
    """
    with _opened(folder) as opened:
        return allocation.of_weights(folder.tensors.stat().st_size, len(opened.keys()))


def read(body: Body, folder: WeightsFolder) -> None:
    """Fill `body` from the folder.

    Raises:
        LasasrError: the file is damaged or cut off, or its weights are not those of the model that config.json
            describes: it lacks one, has one more, or one of another shape or type.
    """
    wanted = body.net.state_dict()
    with _opened(folder) as opened:
        stored = {_current(name): name for name in opened.keys()}  # noqa: SIM118
        prefix = _prefix(wanted, stored, body.prefixes)
        _refuse([name for name in wanted if f"{prefix}{name}" not in stored], "lacks", folder)
        _refuse(list(_unread(body, wanted, stored, prefix)), "also has", folder)
        for name, value in wanted.items():
            _copy(value, opened.get_tensor(stored[f"{prefix}{name}"]), name, folder)


@contextmanager
def _opened(folder: WeightsFolder) -> Iterator[Any]:
    try:
        with safe_open(folder.tensors, "pt") as opened:
            yield opened
    except LasasrError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise LasasrError(f"listen.weights={folder.name}: {folder.tensors} cannot be read ({reason})") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise LasasrError(f"listen.weights={folder.name}: {folder.tensors} is damaged or cut off ({reason})") from None


def _prefix(wanted: Iterable[str], stored: Mapping[str, str], prefixes: Iterable[str]) -> str:
    """What stands before the names of the model's weights in the file."""
    return next((prefix for prefix in prefixes if any(f"{prefix}{name}" in stored for name in wanted)), "")


def _unread(body: Body, wanted: Container[str], stored: Iterable[str], prefix: str) -> Iterator[str]:
    """Weights of the file that belong into a part of the model, which has no place for them.

    Decoders, heads and what the model's own masking puts in the place of frames stand outside its parts.
    """
    parts = {name for name, _ in body.net.named_children()}
    ignored = [re.compile(pattern) for pattern in body.net._keys_to_ignore_on_load_unexpected or ()]
    for name in stored:
        inner = name.removeprefix(prefix)
        of_part = name.startswith(prefix) and inner.partition(".")[0] in parts
        if of_part and inner not in wanted and not any(pattern.search(inner) for pattern in ignored):
            yield inner


def _refuse(names: list[str], verb: str, folder: WeightsFolder) -> None:
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise LasasrError(
            f"listen.weights={folder.name}: {folder.tensors} {verb} {names[0]}{more}: these are no weights of the "
            f"{folder.model_type} that config.json describes"
        )


def _current(name: str) -> str:
    for old, new in _RENAMED.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


@torch.no_grad()
def _copy(value: Tensor, stored: Tensor, name: str, folder: WeightsFolder) -> None:
    if stored.shape != value.shape:
        shapes = f"{tuple(stored.shape)}, and config.json says {tuple(value.shape)}"
        raise LasasrError(f"listen.weights={folder.name}: {name} has shape {shapes}")
    if stored.dtype not in _FLOATING and stored.dtype != value.dtype:
        kind = str(stored.dtype).removeprefix("torch.")
        raise LasasrError(
            f"listen.weights={folder.name}: {name} is {kind}; take weights in float16, bfloat16 or float32"
        )
    value.copy_(stored)
    if not bool(value.isfinite().all()):  # after it was rounded
        raise LasasrError(f"listen.weights={folder.name}: {name} holds NaN or infinite numbers")
