"""A bundle that is a delta: the weights that differ from those of another bundle, its base, and which base that is.

config.yaml            as of any bundle, with `base: {folder, sha256}`: where it lay, from here, and of its weights
adapter.safetensors    the tensors that the base does not have, or has otherwise
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import nn

from lasasr.artifacts import bundle, files
from lasasr.artifacts.bundle_config import CONFIG, DELTA, WEIGHTS
from lasasr.configuration.sections import Plain
from lasasr.errors import LasasrError, looked_up

KEY: Final = "base"  # in config.yaml


class Base(NamedTuple):
    """The bundle that a delta is one to."""

    folder: Path
    sha256: str  # of its model.safetensors


def is_delta(folder: Path) -> bool:
    """Whether a bundle holds only what differs from another."""
    return (folder / DELTA).exists()


def base_at(folder: Path) -> Base:
    """A bundle as a base.

    Raises:
        LasasrError: it is a delta itself, or has no weights.
    """
    if is_delta(folder):
        raise LasasrError(f"{folder} is itself a delta to another bundle: lasasr export {folder} --merge --out DIR")
    return Base(folder, _sha256(folder / WEIGHTS))


def base_of(folder: Path, config: Plain, given: Path | None = None) -> Base:
    """The base of the delta at `folder`, found and compared with what it was.

    Args:
        config: its config.yaml.
        given: the bundle to take; None: the one that config.yaml names.

    Raises:
        LasasrError: there is none, or its weights are others than those that the delta was made for.
    """
    noted = config.get(KEY)
    path = folder / CONFIG
    if not isinstance(noted, dict) or not all(isinstance(noted.get(key), str) for key in ("folder", "sha256")):
        raise LasasrError(f"{path}: base must hold folder and sha256, got {str(noted)[:80]}")
    place = given or Path(os.path.normpath(folder / noted["folder"]))
    if given is None and not (place / WEIGHTS).exists():
        raise LasasrError(
            f"{folder} is a delta to the bundle {place}, which is not there: lasasr transcribe BASE --adapter {folder}"
        )
    base = base_at(place)
    if base.sha256 != noted["sha256"]:
        raise LasasrError(
            f"{folder} is an adapter for another base: {place / WEIGHTS} has sha256 {base.sha256[:12]}..., not "
            f"{noted['sha256'][:12]}..."
        )
    return base


def write(folder: Path, module: nn.Module, schema: int, plain: Plain, base: Base) -> None:
    """Write what differs from the base.

    Raises:
        LasasrError: the base is not there any more, or has changed.
    """
    if base_at(base.folder).sha256 != base.sha256:
        raise LasasrError(f"{base.folder / WEIGHTS} has changed since it was adapted: put it back")
    before = bundle.load_tensors(base.folder / WEIGHTS)
    changed = {
        name: value
        for name, value in bundle.stored_tensors(module).items()
        if name not in before or before[name].shape != value.shape or not torch.equal(before[name], value)
    }
    bundle.write_tensors(folder / DELTA, changed, {"schema": str(schema)})
    noted = {"folder": os.path.relpath(base.folder.resolve(), folder.resolve()), "sha256": base.sha256}
    bundle.write_config(folder, schema, {**plain, KEY: noted})


def read_header(folder: Path, base: Base) -> bundle.Header:
    """Names, shapes and dtypes of all weights: of the delta, and of the base where the delta does not have them.

    Raises:
        LasasrError: see `bundle.read_header`.
    """
    own, below = bundle.read_header(folder, DELTA), bundle.read_header(base.folder)
    tensors = {**below.tensors, **own.tensors}
    return bundle.Header(own.path, tensors, own.bytes + below.bytes, base.folder / WEIGHTS)


def _sha256(path: Path) -> str:
    try:
        with files.open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise LasasrError(
            f"{path} is missing: not a bundle; lasasr export RUN --out DIR makes one{looked_up(path)}"
        ) from None


def plain_base(base: Base) -> Mapping[str, Any]:
    """As the card holds it."""
    return {"folder": str(base.folder), "sha256": base.sha256}
