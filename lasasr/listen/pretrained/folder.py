"""A folder of weights as the Hugging Face hub has them, config.json + model.safetensors: found, or refused.

Nothing is fetched, and nothing in the folder is executed: no pickle, no code.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from lasasr.errors import LasasrError

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"
PREPROCESSOR: Final = "preprocessor_config.json"
_HUB_ID: Final = re.compile(r"[\w.-]+(/[\w.-]+)?")
_MOST_BYTES: Final = 1 << 24  # of a config.json
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
        preprocessor: preprocessor_config.json, or nothing where there is none.
    """

    name: str
    path: Path
    config: Mapping[str, Any]
    preprocessor: Mapping[str, Any]

    @property
    def model_type(self) -> str:
        """As config.json says it."""
        return str(self.config.get("model_type"))

    @property
    def tensors(self) -> Path:
        """The file of weights."""
        return self.path / WEIGHTS

    def sha256(self) -> str:
        """64 hexadecimal digits over model.safetensors."""
        status = self.tensors.stat()
        return _sha256(self.tensors.resolve(), status.st_size, status.st_mtime_ns)


def find(name: str) -> WeightsFolder:
    """The folder `name`, or the hub's model `name` in the local cache.

    Raises:
        LasasrError: there is none, it holds no safetensors, asks for remote code, or cannot be read; one line that
            says what to do.
    """
    path = _in_cache(name) if is_hub_name(name) else Path(name).expanduser()
    config = _read_json(path / CONFIG, name)
    for file in (CONFIG, PREPROCESSOR):
        if asks := sorted(set(_CODE) & set(_read_json(path / file, name) if (path / file).exists() else {})):
            raise LasasrError(
                f"listen.weights={name}: {file} asks for code of its own ({asks[0]}), which is never run; take weights "
                "of a model type that transformers has"
            )
    if "quantization_config" in config:
        raise LasasrError(f"listen.weights={name}: {CONFIG} says quantized weights; take those in float16 or float32")
    if not (path / WEIGHTS).is_file():
        raise LasasrError(f"listen.weights={name}: {_without_weights(path)}")
    if _is_lfs_pointer(path / WEIGHTS):
        raise LasasrError(
            f"listen.weights={name}: {path / WEIGHTS} is a pointer of Git LFS; fetch the weights: git lfs pull"
        )
    preprocessor = _read_json(path / PREPROCESSOR, name) if (path / PREPROCESSOR).exists() else {}
    return WeightsFolder(name, path, config, preprocessor)


def is_hub_name(name: str) -> bool:
    """Whether `name` is no folder, so that the hub's local cache is asked for it."""
    return not Path(name).expanduser().is_dir()


def _without_weights(path: Path) -> str:
    if (path / f"{WEIGHTS}.index.json").exists():
        return f"{path} holds {WEIGHTS} in several parts; save the model as one (max_shard_size='50GB')"
    if other := [file for file in _OTHER_FORMS if (path / file).exists()]:
        return f"{path} has {other[0]}, which can hold code, but no {WEIGHTS}; convert it (save_pretrained writes it)"
    return f"{path} has no {WEIGHTS}"


def _is_lfs_pointer(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_LFS)) == _LFS


def _in_cache(name: str) -> Path:
    """The hub's model `name` in the local cache; the network is not asked."""
    if not _HUB_ID.fullmatch(name):
        raise LasasrError(f"listen.weights={name} is no folder")
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(name, CONFIG)
    if not isinstance(cached, str):
        raise LasasrError(
            f"listen.weights={name} is neither a folder nor in the local cache of the hub; fetch it: "
            f"hf download {name} --include {CONFIG} {PREPROCESSOR} {WEIGHTS}"
        )
    return Path(cached).parent


def _read_json(path: Path, name: str) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("no mapping")
    except FileNotFoundError:
        raise LasasrError(f"listen.weights={name}: {path} is missing: no folder of weights") from None
    except (OSError, ValueError, RecursionError) as error:
        raise LasasrError(f"listen.weights={name}: {path} cannot be read ({error})") from None
    return content


@lru_cache(maxsize=16)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
