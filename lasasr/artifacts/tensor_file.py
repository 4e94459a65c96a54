"""safetensors files are written here, so that a full disk is an `OSError` as of every other file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as of_arrays

_CODE = re.compile(r"\(os error (\d+)\)")  # what the library, which is written in Rust, says of the system's errors


def save(tensors: Mapping[str, Any], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors of torch or arrays of numpy, all of the same kind, contiguous.

    Raises:
        OSError: it cannot be written, as when the disk is full.
    """
    plain = None if metadata is None else dict(metadata)
    try:
        if all(isinstance(value, np.ndarray) for value in tensors.values()):
            of_arrays.save_file(dict(tensors), path, plain)
        else:
            from safetensors import torch as of_tensors  # torch is imported by whoever holds its tensors

            of_tensors.save_file(dict(tensors), path, plain)
    except SafetensorError as error:
        code = _CODE.search(str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(path)) from error
