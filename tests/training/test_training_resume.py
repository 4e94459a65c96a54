"""Broken off anywhere and continued, a training ends as if nothing had happened: weights, validations, the best."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from loaded import recognition
from numpy.typing import NDArray
from training_tiny import Data, SignalAt, Utterances, trainer, training

from lasasr.data.batch import Batch, Measured
from lasasr.data.loader import BatchError
from lasasr.data.sampler import Request
from lasasr.errors import Interrupted, LasasrError
from lasasr.training.checkpoints import LAST, keep_best
from lasasr.training.ema import MovingAverage
from lasasr.training.interrupt import Interrupt
from lasasr.training.validations import Validations

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice
BY_STEPS = {"max_epochs": -1, "check_val_every_n_epoch": None}
WAYS: Mapping[str, Mapping[str, Any]] = {
    "validated each epoch": {"max_epochs": 3},
    "validated twice an epoch": {"max_epochs": 3, "val_check_interval": 2},
    "validated by updates": {
        "max_steps": 11,
        "max_epochs": -1,
        "check_val_every_n_epoch": None,
        "val_check_interval": 3,
    },
    "accumulated": {"max_epochs": 6, "accumulate_grad_batches": 2},
    "averaged": {"max_epochs": 3, "ema": 0.9},
    "validated every second epoch": {"max_epochs": 4, "check_val_every_n_epoch": 2},
}


class End(NamedTuple):
    """What a training comes to."""

    weights: torch.Tensor
    history: list[dict[str, float | int]]
    best: dict[str, float]


class Killed(BaseException):
    """No chance to save anything."""


class KillAt(pl.Callback):
    """SIGKILL after so many batches, before anything is written."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def on_train_batch_end(self, *_: Any) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


class DamagedData(Data):
    """A batch of a split of which a file cannot be read: the one after so many."""

    def __init__(self, good: int, split: str = "train") -> None:
        super().__init__()
        self.left, self.damaged = good, split

    def dataset(self, split: str) -> Measured:
        return self if split == self.damaged else super().dataset(split)

    @property
    def durations_s(self) -> NDArray[np.float64]:
        return Utterances().durations_s

    def __getitem__(self, request: Request) -> Batch:
        self.left -= 1
        if self.left < 0:
            raise LasasrError("utterance 3: c.wav cannot be read as audio")
        return Utterances()[request]


DamagedData.__qualname__ = Data.__qualname__  # the name of its state in checkpoints


def fit(
    folder: Path,
    signal_at: int = 0,
    kill_at: int = 0,
    every_s: float = 1e9,
    data: Data | None = None,
    ema: float = 0,
    **options: Any,
) -> End:
    """Train on from what `folder` holds."""
    interrupt, validations = Interrupt(folder / "checkpoints" / LAST, every_s), Validations()
    best = keep_best(recognition(checkpoint={"best": 2}), folder, "wer")
    averages = [MovingAverage(ema)] if ema else []
    watchers = [KillAt(kill_at), SignalAt(signal_at, interrupt), validations, best, *averages, interrupt]
    of_it = trainer(folder, watchers, **options)
    module, start = training(), folder / "checkpoints" / LAST
    with contextlib.suppress(Interrupted, Killed, BatchError):
        of_it.fit(module, data or Data(), ckpt_path=start if start.exists() else None, weights_only=True)
    weights = torch.cat([p.detach().flatten() for p in module.parameters()])
    return End(weights, validations.history, {Path(one).name: float(v) for one, v in best.best_k_models.items()})


@cache
def whole(way: str, folder: Path) -> End:
    return fit(folder / way, **WAYS[way])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


def assert_same(found: End, expected: End) -> None:
    assert torch.equal(found.weights, expected.weights)
    assert found.history == expected.history
    assert found.best == expected.best


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("at", [(3,), (4, 6), (2, 9)])
def test_a_signal_during_any_update(way: str, at: tuple[int, ...], place: Path, tmp_path: Path) -> None:
    expected = whole(way, place)
    for one in at:
        broken = fit(tmp_path, signal_at=one, **WAYS[way])
        assert not torch.equal(broken.weights, expected.weights)
        assert (tmp_path / "checkpoints" / LAST).exists()
    assert_same(fit(tmp_path, **WAYS[way]), expected)


@pytest.mark.parametrize("way", WAYS)
def test_killed_again_and_again(way: str, place: Path, tmp_path: Path) -> None:
    for batches in (5, 3, 2):
        fit(tmp_path, kill_at=batches, every_s=0.0, **WAYS[way])
    assert_same(fit(tmp_path, every_s=0.0, **WAYS[way]), whole(way, place))


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_cannot_be_read_loses_nothing(way: str, place: Path, tmp_path: Path) -> None:
    """Whichever batch it is in: what was trained before is saved, and goes on when the file is whole again."""
    updates = WAYS[way].get("accumulate_grad_batches", 1)
    for good in (1, 2, 5):
        folder = tmp_path / str(good)
        fit(folder, data=DamagedData(good), **WAYS[way])
        path = folder / "checkpoints" / LAST
        assert path.exists() == (good % updates == 0)  # nothing is saved among accumulated batches
        if path.exists():
            assert torch.load(path, weights_only=True)["global_step"] == good // updates
        assert_same(fit(folder, **WAYS[way]), whole(way, place))


@pytest.mark.parametrize("way", WAYS)
def test_a_dev_file_that_cannot_be_read_loses_nothing(way: str, place: Path, tmp_path: Path) -> None:
    """In the first validation or a later one, in its first batch or another: it is done again, from its beginning."""
    for good in (0, 3):
        folder = tmp_path / str(good)
        broken = fit(folder, data=DamagedData(good, "dev"), **WAYS[way])
        saved = torch.load(folder / "checkpoints" / LAST, weights_only=True)
        assert saved["global_step"] > 0
        assert len(broken.history) < len(whole(way, place).history)
        assert_same(fit(folder, **WAYS[way]), whole(way, place))
