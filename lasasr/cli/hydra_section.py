"""What a recipe or an override may ask of Hydra itself, which can import modules, run commands and set variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from omegaconf import DictConfig, OmegaConf

from lasasr.errors import UsageError

# What can name code below `hydra`, or set the environment of a job: nobody may but who says LASASR_ALLOW=hydra.
POWERFUL: Final = ("callbacks", "hydra_logging", "job_logging", "job.env_set", "job.chdir")
LAUNCHING: Final = ("launcher", "sweeper")  # overrides may; sweeper.params is only a grid, which a recipe may have, too
_PACKAGE: Final = "pkg://"


def check_search_path(folders: Any, subject: str) -> None:
    """Refuse packages among the folders of `hydra.searchpath`: Hydra imports them to look for yaml files.

    Args:
        subject: what messages call the place where they stand.

    Raises:
        UsageError: one is neither the toolkit's nor allowed by the user.
    """
    from lasasr import gate

    for folder in map(str, folders) if isinstance(folders, list) else ():
        package = folder.removeprefix(_PACKAGE)
        if package != folder and not gate.below(package.replace("/", "."), gate.allowed_prefixes()):
            raise UsageError(
                f"{subject}: hydra.searchpath has {folder}, which would import {package}; write file://FOLDER, "
                f"or if you trust it: export LASASR_ALLOW={package.partition('.')[0]}"
            )


def check_settings(composed: DictConfig, default: DictConfig, keys: tuple[str, ...], subject: str) -> None:
    """Refuse what was set below `hydra` that could run something.

    Args:
        default: Hydra's own, composed from nothing.
        keys: those that must be as in `default`.
        subject: what messages call the one who set it.

    Raises:
        UsageError: names the key and the way out.
    """
    from lasasr import gate

    if gate.below("hydra", gate.users_prefixes()):
        return
    changed, untouched = (_without_grid(config) for config in (composed, default))
    for key in keys:
        if _at(changed, key) != _at(untouched, key):
            other = "say it on the command line instead, or " if key in LAUNCHING else ""
            raise UsageError(
                f"{subject} sets hydra.{key}, which can run commands: leave it out, "
                f"{other}if you trust it: export LASASR_ALLOW=hydra"
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
