"""safetensors files are written here, so that a full disk is an `OSError` as of every other file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

_CODE = re.compile(r"\(os error (\d+)\)")  # what the library, which is written in Rust, says of the system's errors
DTYPES: Final = {  # of arrays, by the format's names
    "U8": np.uint8,
    "I32": np.int32,
    "I64": np.int64,
    "U64": np.uint64,
    "F64": np.float64,
    "BOOL": np.bool_,
}
_NAMES: Final = {np.dtype(dtype): name for name, dtype in DTYPES.items()}
_ALIGNMENT: Final = 8  # bytes, of the header


def save(tensors: Mapping[str, Any], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors of torch, contiguous.

    Raises:
        OSError: it cannot be written, as when the disk is full.
    """
    from safetensors import torch as of_tensors  # torch is imported by whoever holds its tensors

    try:
        of_tensors.save_file(dict(tensors), path, None if metadata is None else dict(metadata))
    except SafetensorError as error:
        code = _CODE.search(str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(path)) from error


def save_arrays(arrays: Mapping[str, NDArray[Any]], path: Path, metadata: Mapping[str, str]) -> None:
    """Write contiguous arrays of the types in `DTYPES`, without a copy of them in memory, which the library makes.

    Raises:
        OSError: it cannot be written, as when the disk is full.
        KeyError: an array has another type.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    # the widest come first, so that each begins at a multiple of its width
    ordered = sorted(arrays.items(), key=lambda item: -item[1].dtype.itemsize)
    end = 0
    for name, array in ordered:
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [begin, end]}
    packed = json.dumps(header, separators=(",", ":")).encode()
    packed += b" " * (-len(packed) % _ALIGNMENT)
    try:
        with path.open("wb") as file:
            file.write(len(packed).to_bytes(8, "little") + packed)
            for _, array in ordered:
                file.write(array.reshape(-1).view(np.uint8).data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
