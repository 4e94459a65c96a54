"""Loggers of trackers that several runs share: Weights & Biases and MLflow. Their packages are optional.

A run that goes on is the same run there: its id is kept in the run folder.
"""

from __future__ import annotations

import os
import re
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.loggers import MLFlowLogger, WandbLogger
from lightning.pytorch.loggers.logger import rank_zero_experiment  # type: ignore[attr-defined]
from lightning.pytorch.utilities import rank_zero_only
from matplotlib.figure import Figure

from lasasr.artifacts import files


class WandB(WandbLogger):
    """Weights & Biases; its own files lie in `wandb/` of the run folder.

    Args:
        folder: of the run.
        project, entity, group, tags: where the run stands there.
        mode: "online"; "offline" writes files alone, which `wandb sync` sends later; None: as WANDB_MODE says.
    """

    def __init__(
        self,
        folder: Path,
        project: str = "lasasr",
        entity: str | None = None,
        group: str | None = None,
        tags: Sequence[str] = (),
        mode: Literal["online", "offline"] | None = None,
    ) -> None:
        self.id_file = Path(folder) / "wandb-run.txt"
        names: dict[str, Any] = {"entity": entity, "group": group, "tags": list(tags) or None, "mode": mode}
        super().__init__(
            name=Path(folder).name,
            save_dir=folder,
            id=_kept_id(self.id_file),
            project=project,
            log_model=False,
            **names,
        )

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """W&B's run, begun or gone on with."""
        begun = self._experiment is not None
        run = super().experiment
        if not begun:
            files.write_text(self.id_file, f"{run.id}\n")
        return run

    @rank_zero_only
    def show_figure(self, name: str, figure: Figure, step: int) -> None:
        """As an image."""
        self.log_image(name, [figure], step)

    @rank_zero_only
    def show_text(self, name: str, text: str, step: int) -> None:
        """As HTML that keeps the lines."""
        import wandb

        escaped = text.replace("&", "&amp;").replace("<", "&lt;")
        self.log_metrics({name: wandb.Html(f"<pre>{escaped}</pre>")}, step)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End the run there: another one of the same process, as in a sweep, must not go on with it."""
        super().finalize(status)
        if self._experiment is not None:
            self._experiment.finish(exit_code=int(status != "success"))
            self._experiment = None


class MLflow(MLFlowLogger):
    """MLflow; without a `tracking_uri` a file store in `mlflow/` of the run folder.

    Args:
        folder: of the run.
        experiment: where the run stands there.
        tracking_uri: of a server or a store, as MLFLOW_TRACKING_URI.
    """

    def __init__(self, folder: Path, experiment: str = "lasasr", tracking_uri: str | None = None) -> None:
        self.id_file = Path(folder) / "mlflow-run.txt"
        if tracking_uri is None:
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow 3 refuses them otherwise
            tracking_uri = (Path(folder) / "mlflow").resolve().as_uri()
        name = Path(folder).name
        super().__init__(experiment, run_name=name, tracking_uri=tracking_uri, run_id=_kept_id(self.id_file))

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """MLflow's client; the run has begun, or goes on."""
        if self._initialized:
            return self._mlflow_client
        with _variable_kept("MLFLOW_TRACKING_URI"):  # MLflow sets it, and the next run of a sweep would read it
            client = super().experiment
        files.write_text(self.id_file, f"{self._run_id}\n")
        client.update_run(self._run_id, status="RUNNING")
        return client

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """The configuration, under names that MLflow takes; what it has from before cannot be changed there."""
        noted = self.experiment.get_run(self.run_id).data.params
        values = dict(_flattened(params if isinstance(params, dict) else vars(params)))
        super().log_hyperparams({name: value for name, value in values.items() if name not in noted})

    @rank_zero_only
    def show_figure(self, name: str, figure: Figure, step: int) -> None:
        """As an artifact."""
        self.experiment.log_figure(self.run_id, figure, f"{_artifact(name)}/step-{step:08d}.png")

    @rank_zero_only
    def show_text(self, name: str, text: str, step: int) -> None:
        """As an artifact."""
        self.experiment.log_text(self.run_id, text, f"{_artifact(name)}/step-{step:08d}.md")


def _kept_id(path: Path) -> str | None:
    """The tracker's id of the run that goes on; None: it begins."""
    return path.read_text(encoding="utf-8").strip() if path.exists() else None


@contextmanager
def _variable_kept(name: str) -> Iterator[None]:
    """Let the block change an environment variable, and put it back."""
    before = os.environ.get(name)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def _flattened(params: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its name, in which `search@validation.search` is `search:validation.search`."""
    for key, value in params.items():
        name = place + re.sub(r"[^\w./: -]", ":", str(key))
        if isinstance(value, Mapping) and value:
            yield from _flattened(value, f"{name}/")
        else:
            yield name, value


def _artifact(name: str) -> str:
    """A name, in which an utterance's id may stand, as a path that MLflow takes."""
    return re.sub(r"\.\.+", "_", re.sub(r"[^\w./-]+", "_", name)).strip("/")
