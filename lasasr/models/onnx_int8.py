"""Graphs with weights of 8 bits, by onnxruntime's own quantiser."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lasasr.errors import LasasrError


def quantise(path: Path) -> None:
    """Replace a graph by one whose weights are int8; what is multiplied with them is quantised while it runs.

    Raises:
        LasasrError: the quantiser cannot do it.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    try:
        with _quiet():
            quantize_dynamic(path, path, weight_type=QuantType.QInt8)
    except Exception as error:  # of onnxruntime
        reason = " ".join(str(error).split())[:200]
        raise LasasrError(f"{path.name} cannot be quantised to int8 ({type(error).__name__}: {reason})") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantiser's warnings, which name tensors that are not to be quantised, such as lengths."""
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
