"""A folder of weights as the Hugging Face hub has them, config.json + model.safetensors: found, or refused.

Nothing is fetched, and nothing in the folder is executed: no pickle, no code.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from lasasr.errors import LasasrError, looked_up

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"
PREPROCESSOR: Final = "preprocessor_config.json"
PROCESSOR: Final = "processor_config.json"  # written in its place since transformers 5
_EXTRACTOR: Final = "feature_extractor"  # the part of it that speaks of audio
_HUB_ID: Final = re.compile(r"[\w.-]+(/[\w.-]+)?")
_MOST_BYTES: Final = 1 << 24  # of a file of JSON
_CODE: Final = ("auto_map", "custom_pipelines")  # ask for code of the folder's own
_LFS: Final = b"version https://git-lfs"  # what git writes in the place of a large file without git-lfs
_OTHER_FORMS: Final = ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack")


@dataclass(frozen=True)
class WeightsFolder:
    """A folder that may be read.

    Args:
        name: as the configuration says it.
        path: where it lies.
        config: config.json.
        preprocessor: what is said of features, or nothing where no file says it.
        preprocessor_file: the file that says it.
    """

    name: str
    path: Path
    config: Mapping[str, Any]
    preprocessor: Mapping[str, Any]
    preprocessor_file: str = PREPROCESSOR

    @property
    def model_type(self) -> str:
        """As config.json says it."""
        return str(self.config.get("model_type"))

    @property
    def tensors(self) -> Path:
        """The file of weights."""
        return self.path / WEIGHTS

    def sha256(self) -> str:
        """64 hexadecimal digits over model.safetensors.

        Raises:
            LasasrError: it cannot be read.
        """
        with _reading(self.name):
            status = self.tensors.stat()
            return _sha256(self.tensors.resolve(), status.st_size, status.st_mtime_ns)


def find(name: str) -> WeightsFolder:
    """The folder `name`, or the hub's model `name` in the local cache.

    Raises:
        LasasrError: there is none, it holds no safetensors, asks for remote code, or cannot be read; one line that
            says what to do.
    """
    if not name.strip():
        raise LasasrError("listen.weights is empty; write a folder with config.json and model.safetensors")
    with _reading(name):
        path = _in_cache(name) if is_hub_name(name) else Path(name).expanduser()
        documents = {file: _read_json(path / file, name) for file in (CONFIG, PREPROCESSOR, PROCESSOR)}
        config = documents[CONFIG]
        if config is None:
            raise LasasrError(f"listen.weights={name}: {path / CONFIG} is missing: no folder of weights")
        extractor = _extractor(path, name, documents[PROCESSOR])
        for file, content in ((CONFIG, config), *documents.items(), (PROCESSOR, extractor)):
            if asks := sorted(set(_CODE) & set(content or {})):
                raise LasasrError(
                    f"listen.weights={name}: {file} asks for code of its own ({asks[0]}), which is never run; take "
                    "weights of a model type that transformers has"
                )
        if not isinstance(config.get("model_type"), str):
            raise LasasrError(f"listen.weights={name}: {path / CONFIG} names no model_type: no folder of weights")
        if "quantization_config" in config:
            raise LasasrError(
                f"listen.weights={name}: {CONFIG} says quantized weights; take those in float16 or float32"
            )
        _check_tensors(path, name)
    if extractor is not None:  # transformers, too, believes it before the other
        return WeightsFolder(name, path, config, extractor, PROCESSOR)
    return WeightsFolder(name, path, config, documents[PREPROCESSOR] or {})


def is_hub_name(name: str) -> bool:
    """Whether `name` is no folder, so that the hub's local cache is asked for it."""
    try:
        return not Path(name).expanduser().is_dir()
    except RuntimeError:  # `~` of a user that there is not
        return True


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """What the system says of a file of the folder is one line that names it.

    Raises:
        LasasrError: of an `OSError`.
    """
    try:
        yield
    except OSError as error:
        where = f"{error.filename} " if error.filename else ""
        raise LasasrError(f"listen.weights={name}: {where}cannot be read ({error.strerror})") from None


def _check_tensors(path: Path, name: str) -> None:
    tensors = path / WEIGHTS
    if not tensors.is_file():
        raise LasasrError(f"listen.weights={name}: {_without_weights(path, name)}")
    with tensors.open("rb") as file:
        if file.read(len(_LFS)) == _LFS:
            raise LasasrError(
                f"listen.weights={name}: {tensors} is a pointer of Git LFS; fetch the weights: git lfs pull"
            )


def _without_weights(path: Path, name: str) -> str:
    tensors = path / WEIGHTS
    if tensors.is_symlink():
        return f"{tensors} is a link to {tensors.readlink()}, where no file is"
    if tensors.exists():
        return f"{tensors} is no file"
    if (path / f"{WEIGHTS}.index.json").exists():
        return f"{path} holds {WEIGHTS} in several parts; save the model as one (max_shard_size='50GB')"
    if other := [file for file in _OTHER_FORMS if (path / file).exists()]:
        return f"{path} has {other[0]}, which can hold code, but no {WEIGHTS}; convert it (save_pretrained writes it)"
    return f"{path} has no {WEIGHTS}" + (f"; {_fetch(name)}" if is_hub_name(name) else "")


def _in_cache(name: str) -> Path:
    """The hub's model `name` in the local cache; the network is not asked."""
    if Path(name).is_file():
        raise LasasrError(f"listen.weights={name} is a file; write the folder that holds it")
    if not _HUB_ID.fullmatch(name):
        raise LasasrError(f"listen.weights={name} is no folder{looked_up(name)}")
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(name, CONFIG)
    except HFValidationError:
        raise LasasrError(f"listen.weights={name} is neither a folder nor a name on the hub{looked_up(name)}") from None
    if not isinstance(cached, str):
        raise LasasrError(
            f"listen.weights={name} is neither a folder nor in the local cache of the hub; {_fetch(name)}"
            f"{looked_up(name)}"
        )
    return Path(cached).parent


def _fetch(name: str) -> str:
    return f"fetch it: hf download {name} --include {CONFIG} {PREPROCESSOR} {PROCESSOR} {WEIGHTS}"


def _extractor(path: Path, name: str, processor: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What processor_config.json says of features; before transformers 5 it said nothing of them."""
    extractor = (processor or {}).get(_EXTRACTOR)
    if extractor is not None and not isinstance(extractor, dict):
        raise LasasrError(f"listen.weights={name}: {path / PROCESSOR} cannot be read ({_EXTRACTOR} is no mapping)")
    return extractor


def _read_json(path: Path, name: str) -> dict[str, Any] | None:
    """A mapping; None: there is no such file."""
    try:
        if not path.is_file():
            if path.exists() or path.is_symlink():  # a pipe would be waited for
                raise ValueError("it is no file, or a link to none")
            return None
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has {path.stat().st_size:,} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it is no mapping")
    except RecursionError:
        raise LasasrError(f"listen.weights={name}: {path} cannot be read (it is too deep)") from None
    except ValueError as error:
        raise LasasrError(f"listen.weights={name}: {path} cannot be read ({error})") from None
    return content


@lru_cache(maxsize=16)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
