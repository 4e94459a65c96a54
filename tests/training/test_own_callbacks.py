"""Callbacks of a user's own see what was measured, keep their state, and are refused by name."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from fit_tiny import InterruptAt, fit_tiny
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from loaded import composed

from lasasr.errors import Interrupted, LasasrError, PartError, UsageError
from lasasr.training.fit import check_settings
from lasasr.training.metric_logger import MetricLogger

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice


class Watch(pl.Callback):
    """Notes what it sees, and keeps it in checkpoints."""

    made: list[Watch] = []  # noqa: RUF012

    def __init__(self, metric: str = "dev/wer") -> None:
        self.metric = metric
        self.seen: list[float] = []
        self.losses = 0
        Watch.made.append(self)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.losses += "train/loss" in trainer.callback_metrics

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seen.append(float(trainer.callback_metrics[self.metric]))

    def state_dict(self) -> dict[str, Any]:
        return {"seen": list(self.seen)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seen = state_dict["seen"]


class Shelf:
    """What a checkpoint must not hold."""


class Hoards(Watch):
    """Keeps an object of a class of its own."""

    def state_dict(self) -> dict[str, Any]:
        return {"shelf": Shelf()}


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASASR_ALLOW", __name__)
    Watch.made.clear()


def mine(name: str, *options: str) -> tuple[str, ...]:
    return (
        f"+callbacks.mine._target_={__name__}.{name}",
        *(f"+callbacks.mine.{one}" for one in options),
        "logger=none",
    )


def test_it_sees_what_was_measured_before_the_checkpoint_is_written(tmp_path: Path) -> None:
    fitted = fit_tiny(tmp_path, *mine("Watch", "metric=dev/cer"), watchers=[MetricLogger(1)])
    watch = Watch.made[-1]
    assert watch.seen == [one["cer"] for one in fitted.validations]
    assert watch.losses == 8
    (best,) = (tmp_path / "checkpoints").glob("step=*.ckpt")
    saved = torch.load(best, weights_only=True)
    assert len(saved["callbacks"][watch.state_key]["seen"]) == saved["global_step"] // 4


def test_its_state_goes_on_with_the_run(tmp_path: Path) -> None:
    with contextlib.suppress(Interrupted):
        fit_tiny(tmp_path, *mine("Watch"), watchers=[InterruptAt(6)])
    assert len(Watch.made[-1].seen) == 1
    fitted = fit_tiny(tmp_path, *mine("Watch"), resume=True)
    assert Watch.made[-1].seen == [one["wer"] for one in fitted.validations]
    assert len(Watch.made[-1].seen) == 2


def test_a_state_that_a_checkpoint_could_not_be_read_with_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LasasrError, match=r"callbacks.mine: its state_dict\(\) must hold plain values and tensors"):
        fit_tiny(tmp_path, *mine("Hoards"))
    assert not list((tmp_path / "checkpoints").glob("*.ckpt"))


def test_a_checkpoint_callback_of_ones_own_changes_nothing_of_the_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = fit_tiny(tmp_path / "alone", "logger=none")
    kept = sorted(path.name for path in (tmp_path / "alone" / "checkpoints").iterdir())
    said = capsys.readouterr().err
    with_one = fit_tiny(tmp_path / "with", *mine("Keep", f"folder={tmp_path / 'theirs'}"))
    assert with_one.validations == alone.validations
    assert sorted(path.name for path in (tmp_path / "with" / "checkpoints").iterdir()) == kept
    assert capsys.readouterr().err.count("best so far") == said.count("best so far") > 0
    assert list((tmp_path / "theirs").glob("*.ckpt"))


class Keep(ModelCheckpoint):
    """The worst, by its own measure."""

    def __init__(self, folder: str) -> None:
        super().__init__(dirpath=folder, monitor="dev/cer", mode="max", save_on_train_epoch_end=False)


class Stop(EarlyStopping):
    """As the run's own."""

    def __init__(self) -> None:
        super().__init__("dev/wer", check_on_train_epoch_end=False)

    @property
    def state_key(self) -> str:
        return EarlyStopping("dev/wer").state_key


def test_two_that_keep_their_state_under_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"callbacks.mine: another callback keeps its state as EarlyStopping"):
        fit_tiny(tmp_path, *mine("Stop"), "early_stopping=3")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (mine("Watch", "wrong=3"), "callbacks.mine.wrong, which .* does not take"),
        (("+callbacks.mine._target_=nowhere.Mine",), r"callbacks.mine._target_=nowhere.Mine .*LASASR_ALLOW=nowhere"),
        (("+callbacks.mine.metric=x",), "callbacks.mine has no _target_"),
        (("+callbacks.mine=x",), "callbacks takes callbacks by name"),
        (
            ("+callbacks.mine._target_=lasasr.spell.sampling.Constant",),
            "callbacks.mine.*takes a subclass of lightning.pytorch.callbacks.Callback",
        ),
    ],
)
def test_what_is_no_callback_is_refused_before_anything_is_written(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_settings(composed("synthetic/las_char", overrides))


class Counts(Watch):
    """Its state is no dict."""

    def state_dict(self) -> dict[str, Any]:
        state: Any = 3
        return state  # type: ignore[no-any-return]


def test_a_state_that_is_no_dict_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LasasrError, match=r"callbacks.mine: its state_dict\(\) must return a dict, got int"):
        fit_tiny(tmp_path, *mine("Counts"))


class Lazy(torch.optim.SGD):
    """Does not call the closure."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        return None


def test_an_optimizer_that_calls_no_closure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.optim, "SGD", Lazy)  # which the tiny training takes
    with pytest.raises(PartError, match=r"optimizer \(torch\.optim\.AdamW?\): step must call the closure"):
        fit_tiny(tmp_path, "logger=none")
