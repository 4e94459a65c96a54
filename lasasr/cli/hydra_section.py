"""What a recipe or an override may ask of Hydra itself, which can import modules, run commands and set variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from omegaconf import DictConfig, OmegaConf

from lasasr.errors import UsageError

# Below `hydra`; only LASASR_ALLOW=hydra lifts what is said of them.
NEVER: Final = ("callbacks", "job.env_set")  # these stay empty
UNCHANGED: Final = ("hydra_logging", "job_logging", "job.chdir")  # these stay as Hydra has them, where it runs jobs
LAUNCHING: Final = ("launcher", "sweeper")  # overrides may; sweeper.params is only a grid, which a recipe may have, too
_PLUGINS: Final = ("hydra_plugins.", "hydra._internal.core_plugins.", "optuna.samplers.")
_PACKAGE: Final = "pkg://"


def check_search_path(folders: Any, subject: str) -> None:
    """Refuse packages among the folders of `hydra.searchpath`: Hydra imports them to look for yaml files.

    Args:
        subject: what messages call the place where they stand.

    Raises:
        UsageError: one is neither the toolkit's nor allowed by the user.
    """
    from lasasr.configuration import gate

    for folder in map(str, folders) if isinstance(folders, list) else ():
        package = folder.removeprefix(_PACKAGE)
        if package != folder and not gate.below(package.replace("/", "."), gate.allowed_prefixes()):
            raise UsageError(
                f"{subject}: hydra.searchpath has {folder}, which would import {package}; write file://FOLDER, "
                f"or if you trust it: export LASASR_ALLOW={package.partition('.')[0]}"
            )


def check_composed(config: DictConfig, subject: str) -> None:
    """Refuse what would run, or be set, as soon as Hydra runs the composed configuration.

    Raises:
        UsageError: names the key and the way out.
    """
    if _is_trusted():
        return
    section = OmegaConf.to_container(config["hydra"], resolve=False) if "hydra" in config else {}
    for key in NEVER:
        if _at(section, key):
            raise _refusal(subject, key)
    for key, value in _nested(section):
        name = key.rpartition(".")[2]
        if name == "()" or (name == "_target_" and not str(value).startswith(_PLUGINS)):
            raise _refusal(subject, f"{key}={value!s:.100}")


def check_settings(composed: DictConfig, default: DictConfig, keys: tuple[str, ...], subject: str) -> None:
    """Refuse settings of Hydra by which it would run something else than jobs.

    Args:
        default: Hydra's own, composed from nothing.
        keys: those that must be as in `default`.
        subject: what messages call the one who set it.

    Raises:
        UsageError: names the key and the way out.
    """
    changed, untouched = (_without_grid(config) for config in (composed, default))
    for key in () if _is_trusted() else keys:
        if _at(changed, key) != _at(untouched, key):
            raise _refusal(subject, key)


def _is_trusted() -> bool:
    from lasasr.configuration import gate

    return gate.below("hydra", gate.users_prefixes())


def _refusal(subject: str, key: str) -> UsageError:
    way = "leave it out, "
    if key in LAUNCHING:
        way += "say it on the command line instead, "
    return UsageError(
        f"{subject} sets hydra.{key}, which can run commands: {way}or if you trust it: export LASASR_ALLOW=hydra"
    )


def _without_grid(config: DictConfig) -> Any:
    plain: Any = OmegaConf.to_container(config["hydra"], resolve=False)
    if isinstance(plain["sweeper"], dict):
        plain["sweeper"].pop("params", None)
    return plain


def _at(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = config.get(part) if isinstance(config, Mapping) else None
    return config


def _nested(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of everything in plain values."""
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, inner_value in inner:
        here = f"{place}.{key}" if place else str(key)
        yield here, inner_value
        yield from _nested(inner_value, here)
