"""Runs and bundles by the paths that a user names."""

from pathlib import Path

import pytest

from lasasr.artifacts import run_paths
from lasasr.artifacts.runs import Run
from lasasr.errors import LasasrError

pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.mark.parametrize("inside", ["", "checkpoints", "checkpoints/last.ckpt", "bundle", "results"])
def test_find_run_takes_the_folder_and_what_is_in_it(run: Run, inside: str) -> None:
    assert run_paths.find_run(run.folder / inside) == run
    assert run_paths.find_run(f"{run.folder / inside}/") == run


def test_find_run_knows_the_home_folder(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd()))
    assert run_paths.find_run(f"~/{run.folder}").folder.resolve() == run.folder.resolve()


def test_find_run_looks_below_the_runs_root(run: Run) -> None:
    assert run_paths.find_run(run.folder.relative_to("runs")) == run


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("runs/synthetic/las_cha", "does not exist; nearest: {run}"),
        ("/nowhere/at/all", "does not exist; nearest: {run}"),
        ("runs", "is no run folder; nearest: {run}"),
        ("runs/synthetic/las_char", "is no run folder, but holds 1: name those, as {run}"),
    ],
)
def test_find_run_names_the_nearest(run: Run, path: str, message: str) -> None:
    with pytest.raises(LasasrError, match=f"{path} {message.format(run=run.folder)}"):
        run_paths.find_run(path)


def test_find_run_says_when_there_is_none() -> None:
    with pytest.raises(LasasrError, match="none are known"):
        run_paths.find_run("x")


def test_a_bundle_is_found_in_a_run_and_elsewhere(run: Run, tmp_path: Path) -> None:
    with pytest.raises(LasasrError, match="has no bundle yet"):
        run_paths.bundle_folder(run.folder)
    for folder in (run.bundle, tmp_path / "exported"):
        folder.mkdir()
        (folder / "model.safetensors").touch()
    assert run_paths.bundle_folder(run.folder) == run.bundle
    assert run_paths.bundle_folder(run.bundle) == run.bundle
    assert run_paths.bundle_folder(tmp_path / "exported") == tmp_path / "exported"
