"""What a recipe from anyone may make Hydra do: read small files, and stand for no more than they hold."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf

from lasasr.artifacts import files, yaml_files
from lasasr.errors import UsageError

_INNERMOST: Final = re.compile(r"\$\{([^${}]*)\}")
_COMPUTED: Final = re.compile(r"\$\{[^${}]*\$\{")  # ${a.${b}}: what it means is not seen here
_MOST_COMPUTED: Final = 4
_COMPUTED_NODES: Final = 1000


class BoundedFiles(FileConfigSource):
    """Hydra's files, each looked at before it is read."""

    def load_config(self, config_path: str) -> ConfigResult:
        """As the base class.

        Raises:
            UsageError: the file is too large, no regular file, no YAML, or stands for too much (`yaml_files.check`).
        """
        path = Path(os.path.realpath(Path(self.path) / self._normalize_file_name(config_path)))
        if path.exists():
            try:
                text = files.read_bounded(path, yaml_files.MOST_BYTES).decode("utf-8")
                yaml_files.check(text)
                if not isinstance(yaml_files.first(text), yaml.MappingStartEvent | None):
                    raise UsageError(f"{path} is no recipe: it holds no keys")
            except yaml.MarkedYAMLError as error:
                line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
                raise UsageError(f"{path}{line} is not valid YAML: {error.problem or error.context}") from None
            except (yaml.YAMLError, UnicodeDecodeError) as error:
                raise UsageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
        return super().load_config(config_path)


def refuse(config: DictConfig, name: str) -> None:
    """Refuse a composed configuration, Hydra's own keys included, that would fill the memory.

    Args:
        name: of the recipe, for messages.

    Raises:
        UsageError: names the key.
    """
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    try:
        _Sizes(plain).refuse(name)
    except RecursionError:
        raise UsageError(f"recipe {name} has values that name each other in a circle, or through too many") from None


class _Sizes:
    """How many values a configuration stands for when `${...}` are replaced by what they name."""

    def __init__(self, plain: dict[Any, Any]) -> None:
        self._plain = plain
        self._known: dict[tuple[str, ...], int] = {}
        self._computed = 0

    def refuse(self, name: str) -> None:
        """Refuse more than `yaml_files.MOST_NODES`."""
        size = self._size(self._plain, ())
        if size > yaml_files.MOST_NODES:
            most = f"{yaml_files.MOST_NODES:,} values"
            raise UsageError(f"recipe {name} stands for more than {most} when what ${{...}} names is put in its place")
        if self._computed > _MOST_COMPUTED:
            raise UsageError(f"recipe {name} has more than {_MOST_COMPUTED} names within names, as ${{a.${{b}}}}")

    def _size(self, value: Any, place: tuple[str, ...]) -> int:
        if isinstance(value, Mapping):
            return 1 + sum(self._size(inner, (*place, str(key))) for key, inner in value.items())
        if isinstance(value, list):
            return 1 + sum(self._size(inner, (*place, str(number))) for number, inner in enumerate(value))
        if not isinstance(value, str):
            return 1
        computed = len(_COMPUTED.findall(value))
        self._computed += computed
        own = 1 + len(value) // yaml_files.CHARACTERS_OF_A_NODE + computed * _COMPUTED_NODES
        return own + sum(self._named(name, place) for name in _INNERMOST.findall(value))

    def _named(self, name: str, place: tuple[str, ...]) -> int:
        """Of what `${name}` means, in the value at `place`."""
        name = name.rpartition(":")[2].partition(",")[0].strip()
        up = len(name) - len(name.lstrip("."))
        words = [word for word in re.split(r"[.\[\]]+", name) if word]
        target = (*(place[:-up] if up else ()), *words)
        if target not in self._known:
            self._known[target] = self._size(self._at(target), target)
            if self._known[target] > yaml_files.MOST_NODES:
                return self._known[target]
        return self._known[target]

    def _at(self, place: tuple[str, ...]) -> Any:
        value: Any = self._plain
        for word in place:
            if isinstance(value, Mapping):
                value = value.get(word)
            elif isinstance(value, list) and word.isdigit() and int(word) < len(value):
                value = value[int(word)]
            else:
                return None
        return value
