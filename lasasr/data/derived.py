"""Arrays that are computed from files once, kept beside them, and mapped into memory afterwards.

They are only a faster way to what the files say: one that is missing, damaged, of another version, or made from files
that have been written again since, is computed again; where nothing can be written, they are computed in every process.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from lasasr.artifacts import files, tensor_file

Arrays = Mapping[str, NDArray[Any]]
_MADE_FROM: Final = "made_from"
_CHECKS: Final = "crc32"  # of each array
_CHUNK: Final = 1 << 20  # bytes
_MOST_HEADER_BYTES: Final = 1 << 20


def stored_or_computed(path: Path, made_from: Any, compute: Callable[[], Arrays]) -> Arrays:
    """The arrays kept in `path`, or those that `compute` gives, which are then kept there.

    Args:
        path: a safetensors file.
        made_from: plain values that change when the arrays must be computed again.
        compute: name → array of type uint8, int32, int64, uint64, float64 or bool.
    """
    origin = json.dumps(made_from, sort_keys=True)
    arrays = _stored(path, origin)
    if arrays is not None:
        return arrays
    computed = {name: np.ascontiguousarray(value) for name, value in compute().items()}
    with suppress(OSError):  # a folder of others, which cannot be written to, or a full disk
        with files.replacing(path) as temporary:
            checks = {name: zlib.crc32(value.reshape(-1).view(np.uint8).data) for name, value in computed.items()}
            tensor_file.save_arrays(computed, temporary, {_MADE_FROM: origin, _CHECKS: json.dumps(checks)})
        return _stored(path, origin) or computed
    return computed


def stamps(paths: Sequence[Path]) -> dict[str, list[int] | None]:
    """Name → size and time of change of files: they show that one was written again; None where it is missing."""
    return {path.name: stamp(path) for path in paths}


def stamp(path: Path) -> list[int] | None:
    """Size and time of change of a file; None where it is missing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def _stored(path: Path, origin: str) -> Arrays | None:
    """The arrays in a file, mapped into memory; None where they are missing, damaged or made from something else."""
    try:
        with files.open_regular(path) as file:
            header_bytes = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(header_bytes, _MOST_HEADER_BYTES)))
            about = header.pop("__metadata__", {})
            if about.get(_MADE_FROM) != origin:
                return None
            checks = json.loads(about[_CHECKS])
            for name, entry in header.items():
                _check(file, 8 + header_bytes, entry, checks[name])
        return {name: _mapped(path, entry, 8 + header_bytes) for name, entry in header.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _check(file: BinaryIO, begin: int, entry: Mapping[str, Any], expected: int) -> None:
    """Read the bytes of an array, a few at a time: what is mapped unread would hide a bit that has flipped."""
    start, end = entry["data_offsets"]
    file.seek(begin + start)
    check, left = 0, end - start
    while left > 0 and (chunk := file.read(min(left, _CHUNK))):
        check, left = zlib.crc32(chunk, check), left - len(chunk)
    if left or check != expected:
        raise ValueError("damaged")


def _mapped(path: Path, entry: Mapping[str, Any], begin: int) -> NDArray[Any]:
    """One array of a safetensors file."""
    dtype, shape = np.dtype(tensor_file.DTYPES[entry["dtype"]]), tuple(entry["shape"])
    start, end = entry["data_offsets"]
    if end - start != dtype.itemsize * int(np.prod(shape)):
        raise ValueError("damaged")
    if start == end:
        return np.empty(shape, dtype)  # no byte can be mapped
    return np.memmap(path, dtype, "r", begin + start, shape)
