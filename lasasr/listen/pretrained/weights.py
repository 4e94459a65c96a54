"""From model.safetensors into a model, every weight of it, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import torch
from safetensors import safe_open
from torch import Tensor

from lasasr.errors import LasasrError
from lasasr.listen.pretrained.body import Body
from lasasr.listen.pretrained.folder import WeightsFolder

# how weight normalisation called its two halves before torch 2.0
_RENAMED: Final = {".weight_g": ".parametrizations.weight.original0", ".weight_v": ".parametrizations.weight.original1"}


def read(body: Body, folder: WeightsFolder) -> None:
    """Fill `body` from the folder.

    Raises:
        LasasrError: the file is damaged or cut off, or lacks a weight of the model that config.json describes.
    """
    path = folder.tensors
    wanted = body.net.state_dict()
    try:
        with safe_open(path, "pt") as opened:
            names = _named(wanted, opened.keys(), body.prefixes)
            missing = [name for name in wanted if name not in names]
            if missing:
                raise LasasrError(
                    f"listen.weights={folder.name}: {path} lacks {missing[0]}"
                    + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
                    + f": these are no weights of the {folder.model_type} that config.json describes"
                )
            for name, value in wanted.items():
                _copy(value, opened.get_tensor(names[name]), name, folder)
    except LasasrError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise LasasrError(f"listen.weights={folder.name}: {path} is damaged or cut off ({reason})") from None


def _named(wanted: Mapping[str, Any], stored: Iterable[str], prefixes: Iterable[str]) -> dict[str, str]:
    """Name of a weight of the model → its name in the file."""
    names: dict[str, str] = {}
    current = {_current(name): name for name in stored}
    for prefix in prefixes:
        names = {name: current[f"{prefix}{name}"] for name in wanted if f"{prefix}{name}" in current}
        if names:
            break
    return names


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
    if not bool(stored.isfinite().all()):
        raise LasasrError(f"listen.weights={folder.name}: {name} holds NaN or infinite numbers")
    value.copy_(stored)
