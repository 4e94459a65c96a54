"""`--cfg`, `--info` and shell completion: Hydra's own, with RECIPE in the place of its config name."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from hydra.core.global_hydra import GlobalHydra

from lasasr.cli import session
from lasasr.cli.errors import explained


def is_requested(options: argparse.Namespace) -> bool:
    """Whether the command line wants to see the configuration rather than to run."""
    return bool(options.cfg or options.info)


def show(options: argparse.Namespace) -> int:
    """Print what `--cfg` or `--info` asks for.

    Raises:
        UsageError: the recipe or an override is wrong.
    """

    def cfg(hydra: Any, config: str) -> None:
        hydra.show_cfg(config, options.overrides, options.cfg, options.package, options.resolve)

    def info(hydra: Any, config: str) -> None:
        hydra.show_info(options.info, config, options.overrides)

    return _with_hydra(options.recipe, options.overrides, cfg if options.cfg else info)


def _with_hydra(recipe: str, overrides: list[str], action: Callable[[Any, str], None]) -> int:
    with session.on_recipe(recipe) as opened, explained(opened, overrides):
        opened.compose(overrides)  # says what is wrong before Hydra prints half of an answer
        action(GlobalHydra.instance().hydra, opened.config)
    return 0
