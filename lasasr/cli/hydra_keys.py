"""Which of Hydra's own keys do something here; the others are refused, as they would be passed over in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from omegaconf import DictConfig, OmegaConf

from lasasr.errors import UsageError

ALWAYS: Final = ("hydra.searchpath",)
IN_SWEEPS: Final = (  # what Hydra's sweeper and launcher read
    "hydra/callbacks",
    "hydra/hydra_logging",
    "hydra/job_logging",
    "hydra/launcher",
    "hydra/sweeper",
    "hydra.callbacks",
    "hydra.hydra_logging",
    "hydra.job.env_copy",
    "hydra.job.env_set",
    "hydra.job_logging",
    "hydra.launcher",
    "hydra.sweeper",
    "hydra.verbose",
)
IN_RECIPES: Final = ("run.dir", "sweep.dir", "sweep.subdir", "output_subdir", "job.chdir", "job.name", "mode")
PLACES: Final = "a run lies in runs_dir=DIR, or LASASR_RUNS, in a folder named by its configuration"


def refuse_idle(overrides: Sequence[str], multirun: bool = False) -> None:
    """Refuse overrides of Hydra's keys that nothing reads.

    Args:
        multirun: whether Hydra's sweeper and launcher run the jobs.

    Raises:
        UsageError: names the override and what to write instead.
    """
    for override in overrides:
        if _below(override, ("hydra",)) and not _below(override, ALWAYS):
            if not _below(override, IN_SWEEPS):
                raise UsageError(f"{override} has no effect: {PLACES}")
            if not multirun:
                raise UsageError(f"{override} has no effect without -m, which runs a sweep")


def refuse_idle_in_recipe(config: DictConfig, base: DictConfig, name: str) -> None:
    """Refuse a recipe that sets such keys itself.

    Args:
        config, base: Hydra's keys as composed of the recipe, and of /base or /lm_base.
        name: what messages call the recipe.

    Raises:
        UsageError: names the key and what to write instead.
    """
    for key in IN_RECIPES:
        if _written(config, key) != _written(base, key):
            raise UsageError(f"recipe {name} sets hydra.{key}, which has no effect: {PLACES}")


def _written(config: DictConfig, key: str) -> Any:
    """The value of one of Hydra's keys, its interpolations as they stand: that of `run.dir` tells the time."""
    value = OmegaConf.to_container(config, resolve=False)
    for part in key.split("."):
        assert isinstance(value, dict)
        value = value[part]
    return value


def _below(override: str, keys: Sequence[str]) -> bool:
    key = override.lstrip("+~").partition("=")[0]
    return any(key == prefix or key.startswith((f"{prefix}.", f"{prefix}/", f"{prefix}@")) for prefix in keys)
