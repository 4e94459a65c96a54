"""The files of a bundle: weights and plain configuration, read back without executing anything."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import yaml
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from lasasr.artifacts import files, tensor_file
from lasasr.artifacts.bundle_config import CONFIG as CONFIG
from lasasr.artifacts.bundle_config import WEIGHTS as WEIGHTS
from lasasr.artifacts.bundle_config import read_config as read_config
from lasasr.configuration import users_parts
from lasasr.configuration.sections import Plain
from lasasr.errors import LasasrError, PartError, UsageError, looked_up
from lasasr.nn import allocation
from lasasr.nn.parametrized import plain_name

SMALL: Final = 1_000_000  # what numbers may be however small the weights are


def write(folder: Path, module: nn.Module, schema: int, plain: Plain) -> None:
    """Write model.safetensors and config.yaml (plain values)."""
    write_tensors(folder / WEIGHTS, stored_tensors(module), {"schema": str(schema)})
    write_config(folder, schema, plain)


def write_config(folder: Path, schema: int, plain: Plain) -> None:
    """Write config.yaml."""
    files.write_text(folder / CONFIG, yaml.safe_dump({"schema": schema, **plain}, sort_keys=False, allow_unicode=True))


def stored_tensors(module: nn.Module) -> dict[str, Tensor]:
    """The weights of a module under the names that they have in files, on the CPU."""
    return {name: value.detach().cpu().contiguous() for name, value in _unshared(module).items()}


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file, whole or not at all.

    Raises:
        LasasrError: it cannot be written, as when the disk is full.
    """
    with files.replacing(path) as temporary:
        try:
            tensor_file.save(tensors, temporary, metadata)
        except OSError as error:
            raise LasasrError(f"cannot write {path} ({error.strerror}): make room") from error


class StoredTensor(NamedTuple):
    """What model.safetensors says of one tensor."""

    shape: tuple[int, ...]
    dtype: str  # as the format calls it


class Header(NamedTuple):
    """What model.safetensors says of itself, before any of its numbers is read."""

    path: Path
    tensors: Mapping[str, StoredTensor]
    bytes: int  # of the file
    base: Path | None = None  # the file whose tensors these stand beside, or in the place of


def read_header(folder: Path, file: str = WEIGHTS) -> Header:
    """Names, shapes and dtypes of the weights.

    Raises:
        LasasrError: the file is missing, or damaged: its header is too long, or its tensors do not fill it one by one.
    """
    path = folder / file
    try:
        with files.open_regular(path) as opened_file:
            length, size = int.from_bytes(opened_file.read(8), "little"), os.fstat(opened_file.fileno()).st_size
        if not 0 < length <= min(size - 8, files.MOST_BYTES):
            raise _damaged(path, f"a header of {length} bytes in a file of {size}")
        with safe_open(path, "pt") as opened:
            slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
            tensors = {name: StoredTensor(tuple(part.get_shape()), part.get_dtype()) for name, part in slices.items()}
    except FileNotFoundError:
        way_out = f"lasasr export RUN --out DIR makes one{looked_up(path)}"
        raise LasasrError(f"{path} is missing: not a bundle; {way_out}") from None
    except LasasrError:
        raise
    except Exception as error:
        raise _damaged(path, str(error)) from None
    return Header(path, tensors, size)


def refuse_huge(plain: Plain, header: Header, parts: Sequence[str]) -> None:
    """Refuse sizes and counts that no model of these weights can have, before anything counts so far.

    Raises:
        LasasrError: a whole number in one of `parts` is larger than the weights have bytes.
    """
    most_size = max(header.bytes, SMALL)
    unchecked = [(name, plain[name]) for name in parts]
    while unchecked:
        key, value = unchecked.pop()
        if isinstance(value, Mapping):
            unchecked += [(f"{key}.{name}", inner) for name, inner in value.items()]
        elif isinstance(value, list):
            unchecked += [(f"{key}[{number}]", inner) for number, inner in enumerate(value)]
        elif isinstance(value, int | float) and not abs(value) <= most_size and not isinstance(value, bool):
            path = header.path.with_name(CONFIG)
            raise LasasrError(f"{path}: {key} is {str(value)[:40]}, which is no size of a model of {header.path.name}")


@contextmanager
def building(header: Header, bytes_elsewhere: int = 0) -> Iterator[None]:
    """Let parts be built from the config.yaml beside weights: no larger than these; what goes wrong is one line.

    A config comes from anyone, and its values reach constructors that were not written against malice.

    Args:
        bytes_elsewhere: of weights that a part reads from another file.

    Raises:
        LasasrError: they would be far larger than the weights, or cannot be built.
    """
    config = header.path.with_name(CONFIG)
    try:
        with explained(config), allocation.of_weights(header.bytes + bytes_elsewhere, len(header.tensors)):
            yield
    except allocation.TooLargeError as error:
        raise LasasrError(f"{config} describes a model that {header.path.name} beside it is not of: {error}") from None


@contextmanager
def explained(config: Path) -> Iterator[None]:
    """What goes wrong while something is made of a file of a bundle is said in one line that names it.

    Raises:
        LasasrError: of any exception but those that mean to be raised.
    """
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{config}: {str(error).removeprefix(f'{config}: ')}") from error
    except (LasasrError, allocation.TooLargeError):
        raise
    except Exception as error:
        if fault := users_parts.fault(error):
            raise PartError(f"{config}: {fault}") from error
        reason = " ".join(str(error).split())[:200]
        raise LasasrError(f"{config} holds what cannot be used ({type(error).__name__}: {reason})") from error


def read_weights(module: nn.Module, header: Header) -> None:
    """Fill `module` from model.safetensors, whose tensors must be those of the module, in name, shape and dtype.

    Raises:
        LasasrError: the file is damaged, does not fit the configuration beside it, or holds NaN or infinite numbers.
    """
    path, parameters = header.path, _unshared(module)
    if unfit := sorted(set(parameters) ^ set(header.tensors)):
        raise LasasrError(f"{path} does not fit its config.yaml: {unfit[0]} is in one but not in the other")
    for name, value in parameters.items():
        if tuple(value.shape) != header.tensors[name].shape:
            shapes = f"{header.tensors[name].shape}, expected {tuple(value.shape)}"
            raise LasasrError(f"{path}: {name} has shape {shapes}")
    tensors = (load_tensors(header.base) if header.base is not None else {}) | load_tensors(path)
    for name, value in parameters.items():
        if value.dtype != tensors[name].dtype:
            raise LasasrError(f"{path}: {name} is {tensors[name].dtype}, expected {value.dtype}; export the run again")
        if not bool(tensors[name].isfinite().all()):
            raise LasasrError(f"{path}: {name} holds NaN or infinite numbers: no trained model does")
        value.data.copy_(tensors[name])


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        LasasrError: it is damaged.
    """
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except Exception as error:
        raise _damaged(path, str(error)) from None
    return tensors


def _damaged(path: Path, reason: str) -> LasasrError:
    return LasasrError(f"{path} is damaged ({reason}); export the bundle again")


def _unshared(module: nn.Module) -> dict[str, Tensor]:
    """The state dict without second names of the same tensor (tied weights), which safetensors refuses.

    Also without the parts whose attribute `stored_elsewhere` is true: they read their weights when they are built. What
    a parametrisation computes a weight from has the name of the weight.
    """
    first_names: dict[int, str] = {}
    elsewhere = tuple(
        f"{name}." for name, part in module.named_modules() if getattr(part, "stored_elsewhere", 0) is True
    )
    return {
        plain_name(name): value
        for name, value in module.state_dict(keep_vars=True).items()
        if first_names.setdefault(id(value), name) == name and not name.startswith(elsewhere)
    }
