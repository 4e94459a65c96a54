"""What a search by hydra-optuna-sweeper needs beside Hydra: to be repeatable, and to say what it ended with.

A sampler with a seed asks for the same trials again where the earlier ones gave the same values. Runs that are finished
give theirs at once, so a search that was interrupted goes on where it stopped, without a database.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from lasasr.artifacts import yaml_files

SWEEPER: Final = "hydra/sweeper=optuna"
_SEED: Final = "hydra.sweeper.sampler.seed"
_RESULTS: Final = "optimization_results.yaml"  # the sweeper writes it when it has come to its end


def repeatable(overrides: Sequence[str]) -> list[str]:
    """The overrides, with a seed for the sampler where they choose none; a grid has none."""
    seeded = any(override.lstrip("+").startswith(f"{_SEED}=") for override in overrides)
    if SWEEPER not in overrides or seeded or "hydra/sweeper/sampler=grid" in overrides:
        return list(overrides)
    return [*overrides, f"{_SEED}=1"]


def quiet() -> None:
    """Each job says by itself what it is: the library need not."""
    with suppress(ImportError):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)


def print_best(folder: Path) -> None:
    """Say which values gave the smallest dev error."""
    path = folder / _RESULTS
    if not path.is_file():
        return
    results = yaml_files.read(path)
    if isinstance(results, dict) and isinstance(results.get("best_params"), dict):
        chosen = " ".join(f"{key}={value}" for key, value in results["best_params"].items())
        print(f"best on dev:  {results.get('best_value'):.4g} by {chosen}")
