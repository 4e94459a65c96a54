"""What a search is: the same however its numbers are written and wherever the language models lie that it names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from lasasr.artifacts import files, run_paths
from lasasr.configuration import moved
from lasasr.configuration.identity import BUILDING
from lasasr.configuration.sections import Plain
from lasasr.configuration.signature_defaults import canonical, without_defaults
from lasasr.errors import LasasrError

DIGITS = 8  # hexadecimal, of an id
_NEVER_SHOWN = ("_target_", "keep_weights")


class SearchIdentity(NamedTuple):
    """What makes a search the search it is; equal for two that decode alike by their configuration."""

    values: str  # canonical JSON

    @property
    def search_id(self) -> str:
        """Eight hexadecimal digits."""
        return digest(self.values)


def search_identity(search: Plain, models: Mapping[str, str] | None = None) -> SearchIdentity:
    """The identity of a search: its normal form, in which the content of language models stands for their paths.

    Args:
        search: as config.yaml or results/<split>.json hold it.
        models: what `model_contents` says of it; None: looked up now.
    """
    contents = model_contents(search) if models is None else models
    values = dict(flattened(normal(search))) | dict(contents)
    return SearchIdentity(json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


def identity_of(summary: Plain) -> SearchIdentity | None:
    """Of the search that a results/<split>.json was decoded with; None: it does not say (results of other toolkits)."""
    search = summary.get("search")
    return search_identity(search, summary.get("search_models")) if isinstance(search, Mapping) else None


def digest(*texts: str) -> str:
    """Eight hexadecimal digits over texts."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:DIGITS]


def normal(part: Plain) -> dict[str, Any]:
    """Without the keys that are at their default; whole numbers as such, whether they were written 1 or 1.0.

    The weight of a language model is left out where none is named: it weighs nothing. So is what only says how parts
    are made: `_partial_`.
    """
    form: dict[str, Any] = canonical(without_defaults(_without_idle(moved.current_config(part))))
    return form


def _without_idle(part: Plain) -> dict[str, Any]:
    return {
        key: _without_idle(value) if isinstance(value, Mapping) else value
        for key, value in part.items()
        if key not in BUILDING and (key != "lm_weight" or part.get("lm") is not None)
    }


def flattened(part: Plain, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its dotted key."""
    for key, value in part.items():
        if isinstance(value, Mapping) and value:
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def model_contents(search: Plain, folder: Path = Path()) -> dict[str, str]:
    """dotted key → digest of the language model that a search names there.

    A model that is nowhere any more stands with its path: nothing else is known of it.

    Args:
        folder: that relative paths are below.
    """
    return {key: _model_content(folder, path) for key, path in model_paths(search).items()}


def model_paths(search: Plain) -> dict[str, str]:
    """dotted key → path of the language models that a search names."""
    return {key: value for key, value in flattened(search) if key.rpartition(".")[2] == "lm" and isinstance(value, str)}


def search_words(search: Plain | None) -> str:
    """A search as a person would name it: `beam beam=10 ctc_weight=0.1 lm=lmrun lm_weight=0.3`."""
    if not search:
        return "not known"
    return " ".join((search_name(search), *(f"{key}={value}" for key, value in shown_values(search).items())))


def common_words(searches: Sequence[Plain]) -> str:
    """What several searches have in common, as `search_words` names it."""
    values = [shown_values(search) for search in searches]
    name = search_name(searches[0])
    words = [name] if all(search_name(search) == name for search in searches) else []
    shared = [f"{key}={value}" for key, value in values[0].items() if all(shown.get(key) == value for shown in values)]
    return " ".join((*words, *shared)) or "nothing in common"


def search_name(search: Plain) -> str:
    """The module of its class, as `beam`: what it is called in the configuration is not known to results."""
    *_, module, name = ("", "", *str(search.get("_target_", "search")).split("."))
    return module or name


def shown_values(search: Plain) -> dict[str, str]:
    """dotted key → value of what is not at its default, and of the width of a beam in any case; models by name."""
    kept = dict(flattened(normal(search)))
    width = {"beam": canonical(search["beam"])} if "beam" in search else {}
    return {
        key: shown_value(value) for key, value in (width | kept).items() if key.rpartition(".")[2] not in _NEVER_SHOWN
    }


def shown_value(value: Any) -> str:
    """As a command line would say it; of a path the last name only."""
    if isinstance(value, str):
        return model_name(value) if "/" in value else value
    return json.dumps(canonical(value), ensure_ascii=False)


def model_name(path: str) -> str:
    """The last name of a path or address that tells anything."""
    parts = [part for part in path.split("?")[0].split("/") if part not in ("", ".", "..")]
    telling = [part for part in parts if part != "bundle"] or parts
    return telling[-1] if telling else "path"


def _model_content(folder: Path, path: str) -> str:
    try:
        model = folder / files.expanded(path)
        weights = model if model.is_file() else run_paths.bundle_folder(model) / "model.safetensors"
        status = weights.stat()
        return _file_digest(weights, status.st_size, status.st_mtime_ns)
    except (LasasrError, OSError):
        return f"path {path}"


@cache
def _file_digest(path: Path, size: int, changed_ns: int) -> str:
    """Of the content; the file is read again when its size or time has changed."""
    with files.open_regular(path) as file:
        return f"sha256 {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
