"""Training never ends unjudged, is not judged twice, and keeps what every validation said."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader
from training_tiny import SignalAt, batch, trainer, training

from lasasr.errors import Interrupted
from lasasr.training.interrupt import Interrupt
from lasasr.training.validations import Validations

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice
BY_STEPS = {"max_epochs": -1, "check_val_every_n_epoch": None}


def fit(folder: Path, interrupted_at: int = 0, resume: bool = False, **options: Any) -> tuple[Validations, Path]:
    """Train on two batches an epoch; the validations, and the best checkpoint's path."""
    interrupt = Interrupt(folder / "last.ckpt", every_s=1e9)
    validations = Validations()
    best = ModelCheckpoint(dirpath=folder, filename="best-{step}", monitor="dev/wer")
    train = DataLoader([batch([0, 1]), batch([2, 3])], batch_size=None)  # type: ignore[arg-type]
    dev = DataLoader([batch([5, 6])], batch_size=None)  # type: ignore[arg-type]
    start = folder / "last.ckpt" if resume else None
    of_it = trainer(folder, [SignalAt(interrupted_at, interrupt), validations, best, interrupt], **options)
    with contextlib.suppress(Interrupted):
        of_it.fit(training(), train, dev, ckpt_path=start, weights_only=True)
    return validations, Path(best.best_model_path)


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({**BY_STEPS, "max_steps": 3, "val_check_interval": 100}, [3]),
        ({**BY_STEPS, "max_steps": 5, "val_check_interval": 2}, [2, 4, 5]),
        ({**BY_STEPS, "max_steps": 4, "val_check_interval": 2}, [2, 4]),
        ({"max_epochs": 2}, [2, 4]),
        ({"max_epochs": 3, "check_val_every_n_epoch": 2}, [4, 6]),
        ({"max_epochs": 1, "check_val_every_n_epoch": 5}, [2]),
        ({"max_epochs": 2, "accumulate_grad_batches": 2}, [1, 2]),
    ],
)
def test_the_last_update_is_always_judged_and_once(tmp_path: Path, options: dict[str, Any], steps: list[int]) -> None:
    validations, best = fit(tmp_path, **options)
    assert [one["step"] for one in validations.history] == steps
    assert best.is_file()
    assert all({"wer", "cer", "epoch"} <= set(one) for one in validations.history)


def test_without_validation_there_is_none(tmp_path: Path) -> None:
    validations, _ = fit(tmp_path, max_epochs=1, limit_val_batches=0)
    assert validations.history == []


@pytest.mark.parametrize("at", [1, 3])
def test_a_run_broken_off_is_judged_when_it_has_come_to_its_end(tmp_path: Path, at: int) -> None:
    options = {**BY_STEPS, "max_steps": 4, "val_check_interval": 100}
    fit(tmp_path, interrupted_at=at, **options)
    resumed, best = fit(tmp_path, resume=True, **options)
    assert [one["step"] for one in resumed.history] == [4]
    assert best.is_file()


def test_a_signal_during_the_last_update_leaves_nothing_to_do_but_to_say_so(tmp_path: Path) -> None:
    options = {**BY_STEPS, "max_steps": 2, "val_check_interval": 100}
    broken, best = fit(tmp_path, interrupted_at=2, **options)
    assert [one["step"] for one in broken.history] == [2]
    resumed, again = fit(tmp_path, resume=True, **options)
    assert resumed.history == broken.history
    assert again == best
