"""A checkpoint of another run is known by its id, one without by its shapes; a run may move."""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from fit_tiny import InterruptAt, fit_tiny
from training_tiny import training

from lasasr.artifacts.files import read_json, write_json
from lasasr.artifacts.runs import Run
from lasasr.errors import Interrupted, LasasrError
from lasasr.training.checkpoint_owner import id_of_run, misfit
from lasasr.training.checkpoints import BEFORE, LAST, WITH_STATE, WholeFiles

CONFIG = {"recipe": "synthetic/las_char", "seed": 1}


def stopped(folder: Path, at: int = 3) -> Path:
    """The last checkpoint of a run that was interrupted."""
    Run(folder).start(CONFIG, [])
    with pytest.raises(Interrupted):
        fit_tiny(folder, "checkpoint.every_s=0", watchers=[InterruptAt(at)])
    return folder / "checkpoints" / LAST


def test_card_and_checkpoints_hold_one_id_that_no_other_run_has(tmp_path: Path) -> None:
    one, two = stopped(tmp_path / "one"), stopped(tmp_path / "two")
    ids = [id_of_run(path.parent.parent) for path in (one, two)]
    assert ids == [torch.load(path, weights_only=True)["run_id"] for path in (one, two)]
    assert ids[0] != ids[1]
    assert misfit(one, training(), ids[0]) is None
    assert misfit(one, training(), None) is None
    assert misfit(one, training(), ids[1]) == f"it is of the run {ids[0]}, not of {ids[1]}"


def test_a_run_goes_on_from_the_one_before_where_the_last_is_anothers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, one, two = tmp_path / "whole", tmp_path / "one", tmp_path / "two"
    fit_tiny(whole)
    last = stopped(one)
    shutil.copyfile(stopped(two, at=5), last)
    fit_tiny(one, resume=True)
    assert f"{last} is no checkpoint of this run (it is of the run" in capsys.readouterr().err
    weights = [torch.load(run / "checkpoints" / LAST, weights_only=True)["state_dict"] for run in (whole, one)]
    torch.testing.assert_close(weights[1], weights[0], rtol=0, atol=0)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A checkpoint as 0.2.0 wrote it."""
    saved: dict[str, Any] = torch.load(stopped(tmp_path_factory.mktemp("run")), weights_only=True)
    del saved["run_id"]
    return saved


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"state_dict": {"recognizer.x": torch.zeros(3)}}, "is in one but not in the other"),
        ({"optimizer_states": "x"}, "its optimizer_states is x"),
        ({"optimizer_states": [{"state": {}, "param_groups": [{"params": [0]}]}]}, "are not of .* weights"),
        ({"optimizer_states": [{"state": {}}]}, "are not of .* weights"),
        ({"optimizer_states": []}, "it holds 0 optimizer_states, not 1"),
        ({"lr_schedulers": []}, "it holds 0 lr_schedulers, not 1"),
        ({"lr_schedulers": [{"last_epoch": "x"}]}, "its lr_schedulers is .*'x'"),
        ({"loops": {}}, "it holds no fit_loop"),
        ({"callbacks": 3}, "its callbacks is 3"),
        ({"global_step": "x"}, "its global_step is x"),
    ],
)
def test_what_training_cannot_go_on_from_is_known_before_it_is_restored(
    content: dict[str, Any], tmp_path: Path, changes: dict[str, Any], words: str | None
) -> None:
    torch.save({**content, **changes}, tmp_path / LAST)
    reason = misfit(tmp_path / LAST, training(), "1234")
    assert reason is None if words is None else re.search(words, str(reason)), reason


def test_another_shape_is_named(content: dict[str, Any], tmp_path: Path) -> None:
    name = next(iter(content["state_dict"]))
    weights = {**content["state_dict"], name: torch.zeros(2, 2, 2, 2)}
    torch.save({**content, "state_dict": weights}, tmp_path / LAST)
    assert str(misfit(tmp_path / LAST, training(), None)).startswith(f"{name} has shape (2, 2, 2, 2), not ")


def test_weights_that_are_not_finite_are_named(content: dict[str, Any], tmp_path: Path) -> None:
    name = next(name for name, value in content["state_dict"].items() if value.is_floating_point())
    weights = {**content["state_dict"], name: torch.full_like(content["state_dict"][name], torch.inf)}
    torch.save({**content, "state_dict": weights}, tmp_path / LAST)
    assert misfit(tmp_path / LAST, training(), None) == f"{name} holds NaN or infinite numbers"


@pytest.fixture(scope="module")
def of_adam(content: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same as Adam leaves it after an update of every weight, as it is written today."""
    weights = [weight for weight in training().parameters() if weight.requires_grad]
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    optimizer = torch.optim.Adam(weights)
    optimizer.step()
    path = tmp_path_factory.mktemp("adam") / LAST
    WholeFiles().save_checkpoint({**content, "optimizer_states": [optimizer.state_dict()]}, path)
    assert misfit(path, training(), None) is None
    saved: dict[str, Any] = torch.load(path, weights_only=True)
    return saved


def misfit_with(content: dict[str, Any], path: Path, change: Callable[[dict[int, Any]], Any]) -> str | None:
    """What is said of a checkpoint whose optimizer has another state."""
    changed = copy.deepcopy(content)
    change(changed["optimizer_states"][0]["state"])
    torch.save(changed, path)
    return misfit(path, training(), None)


def test_a_weight_without_optimizer_state_is_missed_where_the_checkpoint_says_how_many_have_one(
    of_adam: dict[str, Any], tmp_path: Path
) -> None:
    number = len(of_adam["optimizer_states"][0]["state"])
    assert number > 1
    reason = f"its optimizer_states hold the state of {number - 1} weights, not of {number}"
    assert misfit_with(of_adam, tmp_path / LAST, lambda state: state.pop(1)) == reason
    of_020 = {name: value for name, value in of_adam.items() if name != WITH_STATE}
    assert misfit_with(of_020, tmp_path / LAST, lambda state: state.pop(1)) is None  # perhaps no update reached it


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_optimizer_states_that_are_not_finite_are_named(of_adam: dict[str, Any], tmp_path: Path, value: float) -> None:
    said = misfit_with(of_adam, tmp_path / LAST, lambda state: state[2]["exp_avg_sq"].view(-1)[0].fill_(value))
    assert said == "its optimizer_states hold NaN or infinite numbers (exp_avg_sq of weight 2)"


def test_optimizer_states_that_are_no_mapping_are_named(of_adam: dict[str, Any], tmp_path: Path) -> None:
    said = misfit_with(of_adam, tmp_path / LAST, lambda state: state.update({1: 3}))
    assert said == "its optimizer_states hold 3 of weight 1"


def test_the_best_are_known_in_a_folder_that_has_moved(tmp_path: Path) -> None:
    options = ("checkpoint.every_s=0", "checkpoint.best=2", "trainer.max_epochs=4")
    whole, run = tmp_path / "whole", tmp_path / "run"
    fit_tiny(whole, *options)
    with pytest.raises(Interrupted):
        fit_tiny(run, *options, watchers=[InterruptAt(11)])
    moved = run.rename(tmp_path / "moved")
    fit_tiny(moved, *options, resume=True)
    names = [sorted(path.name for path in (folder / "checkpoints").iterdir()) for folder in (whole, moved)]
    assert names[0] == names[1]
    states = [torch.load(folder / "checkpoints" / LAST, weights_only=True)["callbacks"] for folder in (whole, moved)]
    best = [next(state for key, state in each.items() if key.startswith("ModelCheckpoint{")) for each in states]
    assert best[0]["best_model_score"] == best[1]["best_model_score"]
    assert [Path(path).name for path in best[0]["best_k_models"]] == [
        Path(path).name for path in best[1]["best_k_models"]
    ]
    assert all(Path(path).parent == moved / "checkpoints" for path in best[1]["best_k_models"])


def test_where_nothing_is_left_to_train_the_last_checkpoint_stays_as_it_is(tmp_path: Path) -> None:
    Run(tmp_path).start(CONFIG, [])
    fit_tiny(tmp_path)
    last = tmp_path / "checkpoints" / LAST
    before = last.read_bytes()
    fit_tiny(tmp_path, resume=True)
    assert last.read_bytes() == before
    last.rename(last.with_name(BEFORE))
    fit_tiny(tmp_path, resume=True)
    assert torch.load(last, weights_only=True)["global_step"] == 8


def test_lightning_reads_plain_values_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it reads has been read as plain values before; but a file may be replaced in between."""
    stopped(tmp_path)
    given: list[Any] = []

    def fit(trainer: pl.Trainer, *_: Any, **options: Any) -> None:
        given.append(options["weights_only"])
        raise KeyboardInterrupt

    monkeypatch.setattr(pl.Trainer, "fit", fit)
    with pytest.raises(KeyboardInterrupt):
        fit_tiny(tmp_path, resume=True)
    assert given == [True]


def test_a_damaged_card_is_refused(tmp_path: Path) -> None:
    Run(tmp_path).start(CONFIG, [])
    write_json(tmp_path / "card.json", {**read_json(tmp_path / "card.json"), "run_id": 3})
    with pytest.raises(LasasrError, match=r"card\.json .*run_id"):
        id_of_run(tmp_path)
