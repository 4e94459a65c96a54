"""The files of a bundle: weights and plain configuration, read back without executing anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lasasr import files, moved
from lasasr.errors import LasasrError

CONFIG = "config.yaml"
WEIGHTS = "model.safetensors"


def write(folder: Path, module: nn.Module, schema: int, config: Mapping[str, Any]) -> None:
    """Write model.safetensors and config.yaml (plain values)."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().cpu().contiguous() for name, value in _unshared(module).items()}
    with files.replacing(folder / WEIGHTS) as path:
        save_file(tensors, path, metadata={"schema": str(schema)})
    plain = {"schema": schema, **config}
    files.write_text(folder / CONFIG, yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))


def read_config(folder: Path, schema: int, parts: Sequence[str]) -> dict[str, Any]:
    """config.yaml.

    Raises:
        LasasrError: it is missing, damaged, of another schema, or lacks one of `parts`.
    """
    path = folder / CONFIG
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LasasrError(f"{path} is missing: not a bundle (a run's is in its bundle/ folder)") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LasasrError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    missing = [name for name in parts if not isinstance(config, dict) or name not in config]
    if missing:
        raise LasasrError(f"{path} lacks {', '.join(missing)}: not the config.yaml of such a bundle")
    if config.get("schema") != schema:
        raise LasasrError(f"{path} has schema {config.get('schema')}, this version reads {schema}")
    return dict(moved.current_config(config))


def read_weights(module: nn.Module, folder: Path) -> None:
    """Fill `module` from model.safetensors.

    Raises:
        LasasrError: the file is missing, damaged, or does not fit the configuration beside it.
    """
    path = folder / WEIGHTS
    try:
        tensors = load_file(path)
    except FileNotFoundError:
        raise LasasrError(f"{path} is missing: not a bundle (lasasr export RUN --out DIR makes one)") from None
    except Exception as error:
        raise LasasrError(f"{path} is damaged ({error}); export the bundle again") from None
    wanted = _unshared(module)
    if unfit := sorted(set(wanted) ^ set(tensors)):
        raise LasasrError(f"{path} does not fit its config.yaml: {unfit[0]} is in one but not in the other")
    for name, value in wanted.items():
        if value.shape != tensors[name].shape:
            raise LasasrError(f"{path}: {name} has shape {tuple(tensors[name].shape)}, expected {tuple(value.shape)}")
        value.data.copy_(tensors[name])


def _unshared(module: nn.Module) -> dict[str, Tensor]:
    """The state dict without second names of the same tensor (tied weights), which safetensors refuses."""
    seen: dict[int, str] = {}
    return {
        name: value
        for name, value in module.state_dict(keep_vars=True).items()
        if seen.setdefault(id(value), name) == name
    }
