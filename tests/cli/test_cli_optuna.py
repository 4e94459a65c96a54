"""`-m hydra/sweeper=optuna`: it makes the value small that jobs return, is repeatable, and goes on."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from lasasr.artifacts.run_card import RunCard
from lasasr.artifacts.runs import Run
from lasasr.cli import optuna_sweeps
from lasasr.cli.main import main
from lasasr.cli.sweep import resume, sweep

RECIPE = "synthetic/las_char"
SEARCH = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=12", "optimizer.lr=interval(0.0,1.0)", "attend=dot,location"]
TRIED: list[tuple[float, str]] = []


def distance(run: Run, config: dict[str, Any], overrides: list[str]) -> float:
    """The dev error of a job that was never trained."""
    TRIED.append((config["optimizer"]["lr"], config["choices"]["attend"]))
    return abs(TRIED[-1][0] - 0.3) + (TRIED[-1][1] == "dot")


def test_a_search_finds_the_smallest_and_is_the_same_when_it_goes_on(
    dictionary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="needs hydra-optuna-sweeper")
    TRIED.clear()
    sweep(RECIPE, SEARCH, distance)
    best = min(TRIED, key=lambda trial: abs(trial[0] - 0.3) + (trial[1] == "dot"))
    out = capsys.readouterr().out
    assert f"optimizer.lr={best[0]}" in out.splitlines()[-1]
    assert f"attend={best[1]}" in out.splitlines()[-1]
    assert "compare:" not in out
    first = TRIED.copy()
    (folder,) = Path("runs/synthetic/las_char").glob("sweep-*")
    resume(folder, distance)
    assert first * 2 == TRIED


def test_a_seed_is_added_where_there_is_none() -> None:
    own = [*SEARCH, "hydra.sweeper.sampler.seed=7"]
    assert optuna_sweeps.repeatable(own) == own
    assert optuna_sweeps.repeatable(SEARCH)[-1] == "hydra.sweeper.sampler.seed=1"
    assert optuna_sweeps.repeatable(["attend=dot"]) == ["attend=dot"]


@pytest.mark.parametrize(
    ("override", "package"),
    [
        ("hydra/sweeper=ax", "hydra-ax-sweeper"),
        ("hydra/launcher=submitit_slurm", "hydra-submitit-launcher"),
        ("hydra/launcher=joblib", "hydra-joblib-launcher"),
    ],
)
def test_a_plugin_that_is_missing_is_named_with_its_package(
    override: str, package: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if importlib.util.find_spec("hydra_plugins") and importlib.util.find_spec(
        f"hydra_plugins.{package.replace('-', '_')}"
    ):
        pytest.skip(f"{package} is installed")
    assert main(["train", RECIPE, "-m", override, "seed=1,2"]) == 2
    assert f"{override} comes with a package of its own: pip install {package}\n" in capsys.readouterr().err


def test_the_best_of_validations_is_by_what_they_are_judged_by() -> None:
    card = RunCard(validations=[{"step": 1, "wer": 30.0, "cer": 9.0}, {"step": 2, "wer": 20.0, "cer": 10.0}])
    assert card.best_dev() == ("wer", 20.0)
    assert card.best_dev("cer") == ("cer", 9.0)
    assert RunCard().best_dev() is None
