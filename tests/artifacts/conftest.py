"""A run folder in an empty folder."""

from pathlib import Path

import pytest
from run_config import CONFIG

from lasasr.artifacts.run_choice import run_for
from lasasr.artifacts.runs import Run


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, without a runs root from the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LASASR_RUNS", raising=False)
    return tmp_path


@pytest.fixture
def run(empty_folder: Path) -> Run:
    """A run that has begun and is not trained."""
    run = run_for(CONFIG, ["attend=dot"])
    run.start(CONFIG, ["attend=dot", "seed=3"], commit="abc")
    return run
