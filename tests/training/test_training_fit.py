"""What torchrun and srun have started is what trains."""

from __future__ import annotations

import pytest

from lasasr.distributed import launch
from lasasr.errors import UsageError
from lasasr.training.fit import as_launched, check_trainer
from lasasr.training.parallel import ddp

ONE = {"strategy": "auto", "devices": 1, "num_nodes": 1, "max_epochs": 3}
MANY = {"strategy": {"_target_": "lasasr.training.parallel.ddp"}, "devices": "auto", "num_nodes": 1, "max_epochs": 3}
TORCHRUN = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "32", "LOCAL_WORLD_SIZE": "8", "RANK": "9", "LOCAL_RANK": "1"}
SRUN = {"SLURM_NTASKS": "32", "SLURM_NNODES": "4", "SLURM_PROCID": "9", "SLURM_LOCALID": "1", "SLURM_JOB_NAME": "x"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {*TORCHRUN, *SRUN, "NODE_RANK"}:
        monkeypatch.delenv(name, raising=False)


def start(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_alone_nothing_changes() -> None:
    assert launch.launched() is None
    assert launch.helper() is None
    assert as_launched(ONE) == ONE
    assert as_launched(MANY) == MANY


@pytest.mark.parametrize("variables", [TORCHRUN, SRUN])
def test_the_launcher_decides_on_nodes_and_processes(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    start(monkeypatch, variables)
    assert launch.launched() == launch.Shape(4, 8)
    assert launch.helper() == "rank 9"
    assert as_launched(MANY) == {**MANY, "devices": 8, "num_nodes": 4}
    assert as_launched({**MANY, "devices": 8}) == {**MANY, "devices": 8, "num_nodes": 4}
    with pytest.raises(UsageError, match=r"trainer.devices=2, but 8 processes"):
        as_launched({**MANY, "devices": 2})
    with pytest.raises(UsageError, match="add trainer=ddp"):
        as_launched(ONE)


@pytest.mark.parametrize("name", launch.INTERACTIVE)
def test_a_person_in_an_allocation_is_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    start(monkeypatch, {**SRUN, "SLURM_JOB_NAME": name, "SLURM_PROCID": "0"})
    assert launch.launched() is None
    assert launch.helper() is None


@pytest.mark.parametrize(
    ("variables", "who"),
    [
        ({"LOCAL_RANK": "0"}, None),
        ({"LOCAL_RANK": "2"}, "rank 2"),
        ({"NODE_RANK": "1", "LOCAL_RANK": "0"}, "node 1, rank 0 of it"),
    ],
)
def test_lightnings_own_processes_have_names(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], who: str | None
) -> None:
    start(monkeypatch, variables)
    assert launch.helper() == who


USUAL = {"accelerator": "auto", "accumulate_grad_batches": 1, "log_every_n_steps": 10, "gradient_clip_val": 5.0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"gradient_clip_algorithm": "value"},
        {"accelerator": "cudda"},
        {"accelerator": "tpu"},  # which Lightning knows, and no machine of ours has
    ],
)
def test_what_lightning_would_take_and_training_cannot_is_refused(wrong: dict[str, object]) -> None:
    for good in (
        {},
        {"accelerator": "cpu"},
        {"gradient_clip_val": None},
        {"gradient_clip_val": 0.0},
        {"gradient_clip_algorithm": "norm"},
    ):
        check_trainer(USUAL | good)
    ((name, value),) = wrong.items()
    with pytest.raises(UsageError, match=rf"trainer\.{name}.*{value}"):
        check_trainer(USUAL | wrong)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_timeout_is_a_time(timeout_s: float) -> None:
    with pytest.raises(UsageError, match=r"trainer.strategy.timeout_s"):
        ddp(timeout_s)
