"""The files of a folder that `lasasr export --onnx` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from lasasr.errors import LasasrError, UsageError, looked_up
from lasasr.onnx.features import Features

SCHEMA = 1
METADATA, TOKENS = "metadata.json", "tokens.txt"
ENCODER, STEP, CTC = "encoder.onnx", "step.onnx", "ctc.onnx"
_AGAIN: Final = "lasasr export RUN --onnx --out DIR writes such a folder"
_KINDS: Final = {"frontend": dict, "search": dict, "unit": str, "memory": list, "state": list}


def metadata(folder: Path) -> dict[str, Any]:
    """What metadata.json holds.

    Raises:
        LasasrError: it is missing, no JSON, of another version, or lacks what a decoder needs.
    """
    path = folder / METADATA
    try:
        held: Any = json.loads(_text(path))
    except ValueError as error:
        raise LasasrError(f"{path} is no JSON ({error})") from None
    if not isinstance(held, dict) or held.get("schema") != SCHEMA:
        raise LasasrError(f"{path} is none of schema {SCHEMA}, which this version reads")
    for name, kind in _KINDS.items():
        if not isinstance(held.get(name), kind):
            raise LasasrError(f"{path}: {name} is missing or damaged; {_AGAIN}")
    return held


def features(folder: Path, frontend: dict[str, Any]) -> Features:
    """The front end that metadata.json describes.

    Raises:
        LasasrError: it does not describe one.
    """
    try:
        return Features(frontend)
    except (KeyError, TypeError, ValueError) as error:
        raise LasasrError(f"{folder / METADATA}: frontend is damaged ({error}); {_AGAIN}") from None


def tokens(folder: Path) -> list[str]:
    """The printed name of every id.

    Raises:
        LasasrError: tokens.txt is missing or no text.
    """
    return _text(folder / TOKENS).split("\n")[:-1]


def session(path: Path, threads: int) -> Any:
    """A graph, ready to run.

    Raises:
        LasasrError: it is missing or damaged, or onnxruntime is not installed.
        UsageError: `threads` is no count.
    """
    if not isinstance(threads, int) or threads < 1:
        raise UsageError(f"threads must be a whole number from 1, got {threads!r}")
    if not path.is_file():
        raise LasasrError(f"{path} is missing: {_AGAIN}{looked_up(path)}")
    try:
        import onnxruntime
    except ImportError:
        raise LasasrError(f"{path} needs onnxruntime: pip install onnxruntime") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of onnxruntime
        raise LasasrError(f"{path} cannot be loaded ({' '.join(str(error).split())[:200]})") from None


def check_vocabulary(folder: Path, names: list[str], graph: Any) -> None:
    """Refuse tokens.txt of another model; `graph` has scores of all tokens as its first output.

    Raises:
        LasasrError: the graph scores more or fewer tokens.
    """
    size = graph.get_outputs()[0].shape[-1]
    if isinstance(size, int) and size != len(names):
        raise LasasrError(f"{folder / TOKENS} has {len(names)} tokens, the graphs score {size}; {_AGAIN}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise LasasrError(f"{path} is missing: {_AGAIN}{looked_up(path)}") from None
    except UnicodeDecodeError as error:
        raise LasasrError(f"{path} is no UTF-8 text ({error.reason} at byte {error.start})") from None
