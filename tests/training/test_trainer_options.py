"""Every option of Lightning's Trainer does what it says or is refused by name."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
import yaml
from fit_tiny import fit_tiny

from lasasr.cli.compose import compose
from lasasr.errors import UsageError
from lasasr.training.fit import check_trainer
from lasasr.training.module import Training
from lasasr.training.trainer_options import PROFILERS, REFUSED

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice
CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = {key for key in yaml.safe_load((CONFIGS / "trainer" / "default.yaml").read_text()) if key[0] != "_"}
ADDED = {  # by +trainer.X=
    "benchmark",
    "detect_anomaly",
    "deterministic",
    "enable_progress_bar",
    "gradient_clip_algorithm",
    "limit_val_batches",
    "min_epochs",
    "min_steps",
    "sync_batchnorm",
}


def test_every_option_there_is_has_been_decided_about() -> None:
    options = set(inspect.signature(pl.Trainer).parameters)
    assert options == SHIPPED | ADDED | set(REFUSED)
    assert not SHIPPED & ADDED
    assert not (SHIPPED | ADDED) & set(REFUSED)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("value", ["true", "false", "3"])
def test_what_the_toolkit_sets_itself_is_refused_by_name(name: str, value: str) -> None:
    trainer = compose("synthetic/las_char", [f"+trainer.{name}={value}"])["trainer"]
    with pytest.raises(UsageError, match=rf"trainer.{name}=.* cannot be set: "):
        check_trainer(trainer)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+trainer.limit_val_batch=3", "sets trainer.limit_val_batch, which .* nearest: trainer.limit_val_batches"),
        ("+trainer.limit_val_batches=0", "trainer.limit_val_batches must be above 0, got 0"),
        ("trainer.val_check_interval=0", "trainer.val_check_interval must be above 0, got 0"),
        ("trainer.check_val_every_n_epoch=0", "trainer.check_val_every_n_epoch must be above 0, got 0"),
        ("trainer.limit_train_batches=0.0", "trainer.limit_train_batches must be above 0, got 0"),
        ("trainer.profiler=simpel", "trainer.profiler=simpel is unknown; nearest: simple"),
    ],
)
def test_nonsense_is_refused_by_name(override: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_trainer(compose("synthetic/las_char", [override])["trainer"])


@pytest.mark.parametrize(("limits", "of_epoch"), [((), 4), (("trainer.limit_train_batches=2",), 2)])
def test_an_epoch_without_a_validation_is_refused_by_name(
    tmp_path: Path, limits: tuple[str, ...], of_epoch: int
) -> None:
    short = ("logger=none", "trainer.max_epochs=1", *limits)
    message = f"trainer.val_check_interval is {of_epoch + 1} batches, but an epoch has {of_epoch}: .*"
    with pytest.raises(UsageError, match=message):
        fit_tiny(tmp_path / "wide", *short, f"trainer.val_check_interval={of_epoch + 1}")
    fitted = fit_tiny(tmp_path / "fits", *short, f"trainer.val_check_interval={of_epoch}")
    assert [one["step"] for one in fitted.validations] == [of_epoch]
    across = ("trainer.check_val_every_n_epoch=null", f"trainer.val_check_interval={of_epoch + 1}")
    assert fit_tiny(tmp_path / "across", *short, *across).validations


@pytest.mark.parametrize("name", PROFILERS)
def test_a_profiler_leaves_its_report_in_the_run_folder(tmp_path: Path, name: str) -> None:
    fit_tiny(tmp_path, f"trainer.profiler={name}", "logger=none", "trainer.max_epochs=1")
    report = tmp_path / "profile" / f"fit-{name}.txt"
    assert report.read_text().startswith("FIT Profiler Report")


def test_a_profiler_with_options_writes_there_too(tmp_path: Path) -> None:
    target = "trainer.profiler={_target_: lightning.pytorch.profilers.SimpleProfiler, extended: false}"
    fit_tiny(tmp_path, target, "logger=none", "trainer.max_epochs=1")
    (report,) = (tmp_path / "profile").iterdir()
    assert "training_step" in report.read_text()


def test_the_bar_can_be_left_out_and_the_lines_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    fit_tiny(tmp_path / "with", "logger=none")
    assert "it/s" in "".join(capsys.readouterr())
    fit_tiny(tmp_path / "without", "+trainer.enable_progress_bar=false", "logger=none")
    captured = capsys.readouterr()
    assert "it/s" not in captured.out + captured.err
    assert captured.err.count("dev WER") == 2


class Look(pl.Callback):
    """What the process is like while it trains."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        self.seen["deterministic"] = torch.are_deterministic_algorithms_enabled()
        self.seen["benchmark"] = torch.backends.cudnn.benchmark
        self.seen["detect_anomaly"] = torch.is_anomaly_enabled()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Training)
        self.seen["judged"] = len(pl_module.outcomes)


@pytest.fixture
def as_before() -> Any:
    """Lightning sets them for the process."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(before[0])
    torch.backends.cudnn.benchmark = before[1]


def test_options_that_are_added_do_what_they_say(tmp_path: Path, as_before: None) -> None:
    look, other = Look(), Look()
    fit_tiny(tmp_path / "usual", "logger=none", "trainer.max_epochs=1", watchers=[look])
    options = ("deterministic=true", "benchmark=true", "detect_anomaly=true", "limit_val_batches=1")
    added = [f"+trainer.{one}" for one in (*options, "min_steps=6")]
    fitted = fit_tiny(
        tmp_path / "other", *added, "logger=none", "trainer.max_epochs=-1", "trainer.max_steps=7", watchers=[other]
    )
    assert look.seen == {"deterministic": False, "benchmark": False, "detect_anomaly": False, "judged": 8}
    assert other.seen == {"deterministic": True, "benchmark": True, "detect_anomaly": True, "judged": 2}
    assert fitted.trainer.global_step == 7
    assert fitted.trainer.fit_loop.min_steps == 6
