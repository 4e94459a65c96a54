"""A tiny spoken corpus, rendered once, and runs on it through the command as a user types it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from commandline import TINY, Command
from warm_command import WarmCommands

# how long drawing an input takes says something about the machine, not about the code
hypothesis.settings.register_profile(
    "any_machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any_machine")


def pytest_configure() -> None:
    """Look for no garbage while ten thousand tests are collected: none of it is."""
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leave what was collected, and the libraries, out of every later search, each of which would look at all of it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)  # as the frozen do not count, a search of all that is left would come every second
    gc.enable()


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the session's corpora and runs go."""
    return tmp_path_factory.mktemp("lasasr")


@pytest.fixture(scope="session")
def environment(workplace: Path) -> dict[str, str]:
    """Variables under which the command leaves nothing in the checkout."""
    places = {"LASASR_PREPARED": str(workplace / "prepared"), "LASASR_RUNS": str(workplace / "runs")}
    return {**os.environ, **places, "OMP_NUM_THREADS": "1", "LASASR_DATA": str(workplace / "data")}


@pytest.fixture(scope="session")
def warm_commands(environment: dict[str, str]) -> Iterator[WarmCommands]:
    """The server that forks processes which have all imports behind them."""
    server = WarmCommands(environment)
    yield server
    server.close()


@pytest.fixture(scope="session")
def lasasr(warm_commands: WarmCommands, environment: dict[str, str], workplace: Path) -> Command:
    """Run the command in a process forked after all imports: `lasasr("train", "synthetic/las_char", *TINY)`."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return warm_commands.run(arguments, workplace, {**environment, **variables})

    return run


@pytest.fixture(scope="session")
def new_lasasr(environment: dict[str, str], workplace: Path) -> Command:
    """Run the command in a new process, as a shell does; seconds of imports slower than `lasasr`."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lasasr", *arguments],
            cwd=workplace,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def tiny_run(lasasr: Command, workplace: Path) -> Path:
    """The folder of a finished tiny run."""
    done = lasasr("train", "synthetic/las_char", *TINY)
    assert done.returncode == 0, done.stderr
    (folder,) = (workplace / "runs" / "synthetic" / "las_char").glob("*-s1-*")
    return folder
