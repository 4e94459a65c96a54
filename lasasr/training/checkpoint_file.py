"""A checkpoint read back: whole, plain values only, and the weights in it as large as the file says.

torch restores plain values and tensors (`weights_only=True`): a pickle that names anything else is refused unread.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lasasr.artifacts.files import open_regular
from lasasr.errors import LasasrError

STATE = "state_dict"


def read(path: Path, mmap: bool = False) -> dict[str, Any]:
    """What training saved.

    Args:
        mmap: whether tensors stay in the file until they are looked at.

    Raises:
        LasasrError: it is missing, damaged, or no checkpoint of this toolkit's training; in one line without its path.
    """
    try:
        _refuse_packed(path)
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except LasasrError:
        raise
    except Exception as error:  # whatever a reader of damaged bytes stumbles over
        raise LasasrError(f"{type(error).__name__}: {' '.join(str(error).split())[:120]}") from None
    if not isinstance(content, dict) or not isinstance(content.get(STATE), Mapping):
        raise LasasrError(f"it holds no {STATE}")
    for name, value in content[STATE].items():
        _refuse_hollow(name, value)
    return content


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint, in one line; None: nothing.

    Every byte is checked against the checksums that torch writes.
    """
    try:
        _refuse_packed(path)
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()
        if wrong is not None:
            return f"{wrong} does not match its checksum"
        read(path, mmap=True)
    except Exception as error:
        said = " ".join(str(error).split())[:160]
        return said if isinstance(error, LasasrError) else f"{type(error).__name__}: {said}"
    return None


def _refuse_packed(path: Path) -> None:
    """Refuse what unpacks to more than the file holds: torch stores everything as it is, once."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if not zipfile.is_zipfile(file):
            return  # torch says what it thinks of that
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    if (
        any(member.compress_type != zipfile.ZIP_STORED for member in members)
        or sum(member.file_size for member in members) > size
    ):
        raise LasasrError("it unpacks to more than it holds, which torch never writes")


def _refuse_hollow(name: Any, value: Any) -> None:
    """Refuse what is no tensor, or one with more numbers than are stored."""
    if not isinstance(name, str) or not isinstance(value, Tensor):
        raise LasasrError(f"its {STATE} holds {str(name)[:40]}, which is a {type(value).__name__}, no tensor")
    plain = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
    if not plain or value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise LasasrError(f"{name} has more numbers than are stored")
