"""Which checkpoints a run keeps, how they are written, and which it goes on from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint

from lasasr.artifacts import files
from lasasr.artifacts.run_card import RUN_ID
from lasasr.configuration.settings import Settings
from lasasr.data.loader import naming_lost_workers
from lasasr.distributed import launch
from lasasr.errors import LasasrError
from lasasr.training import checkpoint_file
from lasasr.training.averaging import kept
from lasasr.training.checkpoint_file import damage

_PLACES = ("best_model_path", "kth_best_model_path", "last_model_path")  # in Lightning's state
LAST, BEFORE = "last.ckpt", "before.ckpt"  # the newest, and the one it replaced
WITH_STATE: Final = "weights_with_optimizer_state"  # how many there are in a checkpoint


def keep_best(settings: Settings, folder: Path, metric: str) -> ModelCheckpoint:
    """The best by `dev/<metric>`; a run that was killed writes over what it had written after its last checkpoint."""
    return Best(
        dirpath=folder / "checkpoints",
        filename=f"step={{step}}-{metric}={{dev/{metric}:.2f}}",
        auto_insert_metric_name=False,
        monitor=f"dev/{metric}",
        save_top_k=settings.checkpoint.best,
        save_on_train_epoch_end=False,  # but with the validation, so that the `last` after it knows of it
        enable_version_counter=False,
    )


class Best(ModelCheckpoint):
    """Goes on with the best ones in a run folder that has moved: Lightning would forget their error rates."""

    @property
    def state_key(self) -> str:
        """As runs of 0.1.0 have it."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the checkpoint stood, with the files of those names in today's folder."""
        folder = Path(str(self.dirpath))

        def here(path: str) -> str:
            return str(folder / Path(path).name) if path else path

        moved = {name: here(state_dict[name]) for name in _PLACES if name in state_dict}
        best = {here(path): value for path, value in state_dict.get("best_k_models", {}).items()}
        super().load_state_dict({**state_dict, **moved, "best_k_models": best, "dirpath": self.dirpath})


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its place, flushes it and renames it: killed at any moment, a whole one stands.

    What `last.ckpt` was before stays as `before.ckpt`.

    Args:
        run_id: of the run, for the checkpoint; None: it has none.
    """

    def __init__(self, run_id: str | None = None) -> None:
        super().__init__()
        self.more = {} if run_id is None else {RUN_ID: run_id}

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write.

        Raises:
            LasasrError: it cannot be written, as when the disk is full; the older one stays.
        """
        path = Path(path)
        with_state = sum(len(state.get("state", ())) for state in checkpoint.get("optimizer_states", ()))
        try:
            with naming_lost_workers(), files.replacing(path) as temporary:
                with temporary.open("wb") as file:
                    torch.save({**checkpoint, WITH_STATE: with_state, **self.more}, file)
                if path.name == LAST and path.exists():
                    _keep(path, path.with_name(BEFORE))
        except (OSError, RuntimeError) as error:  # torch wraps some of what the system says
            reason = " ".join(str(error).split())[:200]
            raise LasasrError(
                f"cannot write {path} ({reason}); the checkpoint before it stands: make room, then --resume"
            ) from error


def _keep(path: Path, older: Path) -> None:
    with files.replacing(older) as temporary:
        temporary.unlink()
        try:
            os.link(path, temporary)
        except OSError:  # a file system without hard links
            shutil.copyfile(path, temporary)


def clear(folder: Path) -> None:
    """Delete what a killed process was writing."""
    for leftover in folder.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)


def newest(folder: Path, misfit: Callable[[Path], str | None] = lambda path: None) -> tuple[Path | None, list[str]]:
    """The newest checkpoint to go on from in a folder, None where there is none at all; and what is wrong with newer
    ones.

    Every byte is checked against the checksums that torch writes.

    Args:
        misfit: why a whole checkpoint is none of the run's; None: it is.

    Raises:
        LasasrError: there is none among those there are.
    """
    places = [folder / LAST, folder / BEFORE, *(checkpoint.path for checkpoint in reversed(kept(folder)))]
    faults: list[str] = []
    for path in places:
        if not path.exists():
            continue
        if (fault := damage(path)) is not None:
            faults.append(f"{path} is damaged ({fault})")
        elif (fault := misfit(path)) is not None:
            faults.append(f"{path} is no checkpoint of this run ({fault})")
        else:
            return path, faults
    if faults:
        raise LasasrError(f"{'; '.join(faults)}; nothing is left to go on from: --fresh trains again")
    return None, faults


def restore(
    settings: Settings,
    module: pl.LightningModule,
    best: ModelCheckpoint,
    foreign: Callable[[Path], str | None] = lambda path: None,
) -> None:
    """Go back to the weights the bundle is made from.

    Args:
        foreign: why a whole checkpoint is none of the run's; None: it is.
    """
    if settings.checkpoint.final == "last" or not best.best_model_path:
        return
    path = Path(best.best_model_path)
    fault = (damage(path) or foreign(path)) if path.exists() else "it is gone"
    if fault is None:
        module.load_state_dict(checkpoint_file.read(path)[checkpoint_file.STATE])
    else:
        launch.say(f"warning: the best checkpoint {path} cannot be read ({fault}): the last weights are taken")
