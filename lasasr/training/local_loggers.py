"""Loggers that write below the run folder: TensorBoard events, and a table."""

from __future__ import annotations

import csv
import io
import threading
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from matplotlib.figure import Figure

from lasasr.artifacts import files
from lasasr.errors import LasasrError


class TensorBoard(TensorBoardLogger):
    """Events in `tensorboard/` of the run folder.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, name="", version="tensorboard", default_hp_metric=False)
        threading.excepthook = _leave_to_the_caller

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Among the scalars.

        Raises:
            LasasrError: the events cannot be written, as when the disk is full.
        """
        with self._naming():
            super().log_metrics(dict(metrics), step)

    @rank_zero_only
    def show_figure(self, name: str, figure: Figure, step: int) -> None:
        """Among the images."""
        with self._naming():
            self.experiment.add_figure(name, figure, step)

    @rank_zero_only
    def show_text(self, name: str, text: str, step: int) -> None:
        """Among the texts."""
        with self._naming():
            self.experiment.add_text(name, text, step)

    @rank_zero_only
    def save(self) -> None:
        """Flush what has been logged."""
        with self._naming():
            super().save()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Flush, and close the file."""
        with self._naming():
            super().finalize(status)

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Say whose file it is: the thread that writes knows no name."""
        try:
            yield
        except OSError as error:
            raise LasasrError(
                f"cannot write the TensorBoard events in {self.log_dir} ({error.strerror or error}): make room, then "
                f"--resume; or train with logger=none"
            ) from error


def _leave_to_the_caller(arguments: threading.ExceptHookArgs) -> None:
    """The writer's thread hands its error on, so that it need not be printed with a traceback too."""
    if type(arguments.thread).__name__ != "_AsyncWriterThread":
        threading.__excepthook__(arguments)


class CSV(Logger):
    """`csv/metrics.csv` in the run folder: a row for each time that something was logged, a column for each value.

    Rows are written as they come. A run that goes on writes over what it had written after its last checkpoint.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = Path(folder) / "csv" / "metrics.csv"
        self.columns: list[str] = []  # of the file; empty until the first row

    @property
    def name(self) -> str:
        """Lightning asks for one."""
        return ""

    @property
    def version(self) -> str:
        """The folder's name."""
        return "csv"

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: they stand in config.yaml beside it."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add a row."""
        row = {"step": str(step if step is not None else 0), **{key: f"{value:.8g}" for key, value in metrics.items()}}
        if not self.columns:
            self._rewrite(_kept(_read(self.path), row), row)
        elif not row.keys() <= set(self.columns):
            self._rewrite(_read(self.path), row)
        with self.path.open("a", encoding="utf-8", newline="") as file:
            self._writer(file).writerow(row)

    def _rewrite(self, rows: list[dict[str, str]], new: Mapping[str, str]) -> None:
        """Write the rows there are under a header with the columns of a new one too."""
        columns = {key: None for row in (*rows, new) for key in row}
        self.columns = ["step", *sorted(columns.keys() - {"step"})]
        with files.replacing(self.path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = self._writer(file)
            writer.writeheader()
            writer.writerows(rows)

    def _writer(self, file: TextIO) -> csv.DictWriter[str]:
        return csv.DictWriter(file, self.columns, lineterminator="\n")


def _read(path: Path) -> list[dict[str, str]]:
    """The whole rows of a table; a killed process may have left half of the last one."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1])))


def _kept(rows: list[dict[str, str]], new: Mapping[str, str]) -> list[dict[str, str]]:
    """The rows that are older than `new`, with which a run goes on, or hold other values of the same step."""
    values, step = new.keys() - {"step", "epoch"}, int(new["step"])
    return [
        row
        for row in rows
        if int(row["step"]) < step or (int(row["step"]) == step and not any(row.get(key) for key in values))
    ]
