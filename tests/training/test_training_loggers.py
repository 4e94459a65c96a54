"""Loggers write what was measured, where they say, and a run that goes on goes on in them."""

from __future__ import annotations

import contextlib
import csv
import errno
import importlib.util
import os
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
from fit_tiny import InterruptAt, fit_tiny
from lightning.pytorch.loggers import Logger
from loaded import composed, recognition
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer.record_writer import RecordWriter

from lasasr.errors import Interrupted, LasasrError, UsageError
from lasasr.training.attention_map_logger import AttentionMapLogger
from lasasr.training.fit import check_settings
from lasasr.training.local_loggers import CSV, TensorBoard
from lasasr.training.loggers import Media
from lasasr.training.metric_logger import MetricLogger

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "csv" / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def column(folder: Path, name: str) -> dict[int, float]:
    return {int(row["step"]): float(row[name]) for row in rows(folder) if row[name]}


def events(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0, "tensors": 0})
    found.Reload()
    return found


def test_several_loggers_say_the_same_as_the_card(tmp_path: Path) -> None:
    fitted = fit_tiny(tmp_path, "logger=[tensorboard,csv]", watchers=[MetricLogger(1)])
    table, board = column(tmp_path, "dev/wer"), events(tmp_path)
    assert list(table.values()) == pytest.approx([one["wer"] for one in fitted.validations])
    for name in ("dev/wer", "train/loss", "train/gradient_norm"):
        assert column(tmp_path, name) == pytest.approx({one.step: one.value for one in board.Scalars(name)}, rel=1e-6)
    assert len(column(tmp_path, "train/loss")) == 8


@pytest.mark.parametrize(
    ("choice", "places"), [("none", []), ("[]", []), ("csv", ["csv"]), ("tensorboard", ["tensorboard"])]
)
def test_only_what_is_chosen_is_written(tmp_path: Path, choice: str, places: list[str]) -> None:
    fit_tiny(tmp_path, f"logger={choice}", "trainer.max_epochs=1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", *places]


def test_a_run_that_is_older_than_the_key_goes_on_in_tensorboard(tmp_path: Path) -> None:
    fit_tiny(tmp_path, "trainer.max_epochs=1", without=["logger", "callbacks"])
    assert (tmp_path / "tensorboard").is_dir()


class Killed(BaseException):
    """No chance to save anything."""


class KillAt(pl.Callback):
    """SIGKILL after an update."""

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == 7:
            raise Killed


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    fit_tiny(folder, "logger=csv", watchers=[MetricLogger(1)])
    return folder


@pytest.mark.parametrize(
    ("ending", "lost"),
    [
        (InterruptAt(3), {2}),  # Lightning hands an update's numbers on when the callbacks are through, here never
        (InterruptAt(4), set()),
        (KillAt(), set()),
    ],
    ids=["signal", "signal-at-validation", "kill"],
)
def test_the_table_of_a_run_that_goes_on_is_that_of_one_that_was_never_stopped(
    whole: Path, tmp_path: Path, ending: pl.Callback, lost: set[int]
) -> None:
    broken = tmp_path / "broken"
    with contextlib.suppress(Interrupted, Killed):
        fit_tiny(broken, "logger=csv", "checkpoint.every_s=0", watchers=[MetricLogger(1), ending])
    stopped = len(rows(broken))
    fit_tiny(broken, "logger=csv", resume=True, watchers=[MetricLogger(1)])
    assert 0 < stopped < len(rows(broken)) == len(rows(whole)) - len(lost)
    for name in ("train/loss", "dev/wer", "dev/cer", "train/learning_rate"):
        expected = column(whole, name)
        assert column(broken, name) == {step: value for step, value in expected.items() if step not in lost}


def test_a_row_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    first = CSV(tmp_path)
    for step in range(3):
        first.log_metrics({"loss": 1.0 + step}, step)
    with first.path.open("a") as file:
        file.write("3,")
    again = CSV(tmp_path)
    again.log_metrics({"other": 9.0}, 2)
    assert [(row["step"], row["loss"], row["other"]) for row in rows(tmp_path)] == [
        ("0", "1", ""),
        ("1", "2", ""),
        ("2", "3", ""),
        ("2", "", "9"),
    ]


class Numbers(Logger):
    """A third party's logger."""

    name, version = "numbers", "1"

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        pass

    def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
        pass


class Album(Numbers):
    """One that takes figures and texts."""

    built: list[Album] = []  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.figures: list[tuple[str, int]] = []
        self.texts: list[tuple[str, int, str]] = []
        self.built.append(self)

    def show_figure(self, name: str, figure: Figure, step: int) -> None:
        assert figure.axes
        self.figures.append((name, step))

    def show_text(self, name: str, text: str, step: int) -> None:
        self.texts.append((name, step, text))


def test_figures_and_texts_go_to_all_that_take_them_and_the_others_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LASASR_ALLOW", __name__)
    album_of_run = f"+logger.album._target_={__name__}.Album"
    fitted = fit_tiny(tmp_path, "logger=[tensorboard,csv]", album_of_run, watchers=[AttentionMapLogger(2)])
    album = Album.built[-1]
    steps = [one["step"] for one in fitted.validations]
    assert [step for _, step, _ in album.texts] == steps
    assert "\n\n" in album.texts[0][2]
    board = events(tmp_path)
    assert [one.step for one in board.Tensors("dev/hypotheses/text_summary")] == steps
    drawn = {(name, one.step) for name in board.Tags()["images"] for one in board.Images(name)}
    assert drawn == set(album.figures)
    assert len(drawn) == 2 * len(steps)
    assert (
        capsys.readouterr().err.count(
            "the logger CSV gets the numbers, but neither attention maps nor hypotheses: it has no show_figure"
        )
        == 1
    )


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_package_is_said_before_anything_is_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda asked, *more: None if asked == name else find(asked, *more))
    with pytest.raises(UsageError, match=rf"logger={name} needs the package {name}.*pip install 'lasasr\[{name}\]'"):
        check_settings(composed("synthetic/las_char", [f"logger=[csv,{name}]"]))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+logger.mine=3", "logger.mine has no _target_: .*adds"),
        ("+logger.mine.x=3", "logger.mine has no _target_: .*adds"),
    ],
)
def test_what_is_no_logger_is_refused_by_name(override: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_settings(composed("synthetic/las_char", [override]))


def test_loggers_have_names() -> None:
    with pytest.raises(UsageError, match=r"logger is true, not a part with keys; logger takes loggers by name, as "):
        recognition(logger=True)


def test_a_part_that_is_no_logger_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"logger.mine.*logger.* takes a subclass of lightning.pytorch.loggers.Logger"):
        fit_tiny(tmp_path, "+logger.mine._target_=lasasr.spell.sampling.Constant")


def test_a_logger_that_cannot_begin_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(CSV, "log_hyperparams", refuse)
    with pytest.raises(LasasrError, match=r"logger.csv cannot begin \(ConnectionError: no route to host\)"):
        fit_tiny(tmp_path, "logger=csv")


def test_wandb_offline_keeps_numbers_figures_and_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    offline = ("logger=wandb", "logger.wandb.mode=offline")
    with contextlib.suppress(Interrupted):
        fit_tiny(tmp_path, *offline, watchers=[MetricLogger(1), AttentionMapLogger(1), InterruptAt(6)])
    run = (tmp_path / "wandb-run.txt").read_text().strip()
    fit_tiny(tmp_path, *offline, resume=True, watchers=[MetricLogger(1), AttentionMapLogger(1)])
    stored = [path.name for path in (tmp_path / "wandb").rglob("run-*.wandb")]
    assert stored == [f"run-{run}.wandb"] * 2
    assert list((tmp_path / "wandb").rglob("media/images/attention/*.png"))
    assert list((tmp_path / "wandb").rglob("media/html/dev/*.html"))
    import wandb

    assert wandb.run is None  # the next run of a sweep has one of its own


def test_mlflow_keeps_numbers_figures_and_its_run_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with contextlib.suppress(Interrupted):
        fit_tiny(tmp_path, "logger=[csv,mlflow]", watchers=[MetricLogger(1), AttentionMapLogger(1), InterruptAt(6)])
    client = mlflow.MlflowClient((tmp_path / "mlflow").resolve().as_uri())
    run = (tmp_path / "mlflow-run.txt").read_text().strip()
    assert client.get_run(run).info.status == "FAILED"
    assert "MLFLOW_TRACKING_URI" not in os.environ  # which the next run of a sweep would go to
    fit_tiny(tmp_path, "logger=[csv,mlflow]", resume=True, watchers=[MetricLogger(1), AttentionMapLogger(1)])
    assert (tmp_path / "mlflow-run.txt").read_text().strip() == run
    told = client.get_run(run)
    assert (told.info.status, told.info.run_name) == ("FINISHED", tmp_path.name)
    assert told.data.params["seed"] == "1"
    measured = {one.step: one.value for one in client.get_metric_history(run, "dev/wer")}
    assert measured == pytest.approx(column(tmp_path, "dev/wer"))
    assert [one.path for one in client.list_artifacts(run)] == ["attention", "dev"]


def test_a_full_disk_names_the_events_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Written by a thread, which would print a traceback too."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def log_on() -> None:
        for step in range(100):  # the thread hands its error on with a later call
            logger.log_metrics({"loss": 1.0}, step)
            logger.save()

    logger = TensorBoard(tmp_path)
    logger.log_metrics({"loss": 2.0}, 0)
    monkeypatch.setattr(RecordWriter, "write", full)
    with pytest.raises(LasasrError, match=r"TensorBoard events in .*tensorboard \(No space left .*\): make room"):
        log_on()
    assert capsys.readouterr().err == ""


def test_media_is_an_interface() -> None:
    assert isinstance(Album(), Media)
    assert not isinstance(Numbers(), Media)
