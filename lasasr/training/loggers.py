"""Where what is measured goes: the loggers of the configuration, and what they take besides numbers."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

import lightning.pytorch as pl
from lightning.pytorch.loggers import Logger
from matplotlib.figure import Figure

from lasasr.configuration import users_parts
from lasasr.configuration.sections import Part
from lasasr.configuration.settings import Settings
from lasasr.errors import LasasrError, PartError, UsageError
from lasasr.models import factory

PACKAGES: Final = {  # shipped logger → the package that it needs, which is also the name of lasasr's extra
    "lasasr.training.tracking_loggers.WandB": "wandb",
    "lasasr.training.tracking_loggers.MLflow": "mlflow",
}


@runtime_checkable
class Media(Protocol):
    """A logger that takes figures and texts too; any Lightning logger with these two methods gets them."""

    def show_figure(self, name: str, figure: Figure, step: int) -> None:
        """Keep a figure.

        Args:
            name: of the series, as `attention/<utterance>`.
            step: updates made.
        """

    def show_text(self, name: str, text: str, step: int) -> None:
        """Keep a text in Markdown; arguments as of `show_figure`."""


def check_loggers(settings: Settings) -> None:
    """Refuse loggers that cannot be built, before anything is prepared or written.

    Raises:
        UsageError: `logger` does not name its loggers, or a package is missing.
    """
    for name, part in _parts(settings).items():
        package = PACKAGES.get(str(part.get("_target_")))
        if package and importlib.util.find_spec(package) is None:
            raise UsageError(
                f"logger={name} needs the package {package}, which is not installed: pip install 'lasasr[{package}]'"
            )


def make_loggers(settings: Settings, folder: Path) -> dict[str, Logger]:
    """The configured loggers by name; a `_partial_` one is finished with the run's `folder`.

    Raises:
        UsageError: one cannot be built as configured.
    """
    return {
        name: factory.build(part, f"logger.{name}", **({"folder": folder} if part.get("_partial_") else {}))
        for name, part in _parts(settings).items()
    }


def begin(loggers: Mapping[str, Logger], settings: Settings) -> None:
    """Tell each logger the configuration: the first time that it may have to reach a server.

    Raises:
        LasasrError: one cannot begin; names it.
    """
    for name, logger in loggers.items():
        try:
            logger.log_hyperparams({**settings.plain, "trainer": dict(settings.trainer)})
        except Exception as error:  # whatever its library raises where a server or an account is missing
            if fault := users_parts.fault(error):
                raise PartError(fault) from error
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise LasasrError(
                f"logger.{name} cannot begin ({reason}): repair it, or leave it out of logger=..."
            ) from error


def media(trainer: pl.Trainer) -> list[Media]:
    """The loggers of this process that take figures and texts; none on other ranks than the first."""
    return [logger for logger in trainer.loggers if isinstance(logger, Media)] if trainer.is_global_zero else []


def _parts(settings: Settings) -> Mapping[str, Part]:
    parts = settings.logger
    wrong = [name for name, part in parts.items() if not isinstance(part, Mapping) or "_target_" not in part]
    if wrong:
        raise UsageError(
            f"logger.{wrong[0]} has no _target_: logger=... chooses loggers, +logger.mine._target_=... adds"
        )
    return parts
