"""Whatever comes from a stranger: one line, at once, and nothing is run, written, read outside or waited for."""

from __future__ import annotations

import copy
import functools
import re
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hostile_ground as ground
import pytest
from hostile_bundles import bundles, language_models, targets
from hostile_case import Case
from hostile_checkpoints import checkpoints
from hostile_cuts import cuts
from hostile_recipes import recipes
from hostile_runs import runs
from hostile_shards import shards

from lasasr.cli import compose as composing
from lasasr.cli.main import main

FILES = [*bundles(), *language_models(), *cuts(), *shards(), *checkpoints(), *recipes(), *runs()]
TARGETS = list(targets())
MOST_CPU_S = 2.0
MOST_WALL_S = 60  # of a machine with much else to do
MOST_MIB = 1024


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ground.Ground]:
    """What cases begin with."""
    folder = tmp_path_factory.mktemp("ground")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        _places(patch)
        yield ground.build(folder)


def _places(patch: pytest.MonkeyPatch) -> None:
    """All that is written goes below the working directory."""
    for name, place in {"LASASR_RUNS": "runs", "LASASR_PREPARED": "prepared", "LASASR_DATA": "data"}.items():
        patch.setenv(name, place)
    patch.delenv("LASASR_ALLOW", raising=False)
    patch.delenv("HYDRA_FULL_ERROR", raising=False)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, composed: Callable[..., Any]) -> Path:
    """The working directory of a case, beside things that are nobody's business."""
    (tmp_path / "work").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path))
    _places(monkeypatch)
    monkeypatch.setattr(composing, "compose", composed)
    return tmp_path / "work"


@pytest.fixture(scope="module")
def composed() -> Callable[..., Any]:
    """The shipped recipe is composed once for all cases: it is not what is tried here, and takes its time."""
    original = composing.compose

    @functools.cache
    def once(recipe: str, overrides: tuple[str, ...]) -> Any:
        return original(recipe, overrides)

    def compose(recipe: str, overrides: Any = (), before_loading: Any = lambda config: None) -> Any:
        if recipe != ground.RECIPE:
            return original(recipe, overrides, before_loading)
        return copy.deepcopy(once(recipe, tuple(overrides)))

    return compose


def _snapshot(folder: Path) -> dict[str, int]:
    """All files below, with when they were last written."""
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*") if not path.is_dir()}


class LateError(BaseException):
    """Which no handler of errors takes for one of its own."""


def _late(*_: object) -> None:
    raise LateError("this case is waited for")


def refused(case: Case, sound: ground.Ground, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Type the command of a case, and look at what came of it."""
    sound.copy(work, *case.needs)
    case.damage(work)
    before = _snapshot(work.parent / "secret")
    capsys.readouterr()
    signal.signal(signal.SIGALRM, _late)
    signal.alarm(MOST_WALL_S)
    begun_s, peak_kib = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        status = main(list(case.arguments))
    finally:
        signal.alarm(0)
    took_s = time.process_time() - begun_s
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kib) / 1024
    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if line.startswith("lasasr: ")]
    assert status in (1, 2), said
    assert len(lines) == 1, said
    assert said.splitlines()[-1] == lines[-1], said
    assert "internal error" not in said
    assert "Traceback" not in said
    assert re.search(case.words, lines[0]), lines[0]
    assert len(lines[0]) < 2000
    assert not list(work.parent.rglob("MARK"))
    assert _snapshot(work.parent / "secret") == before
    assert {path.name for path in work.parent.iterdir()} == {"work", "secret"}
    assert took_s < MOST_CPU_S, f"{took_s:.1f} s"
    assert grown_mib < MOST_MIB, f"{grown_mib:.0f} MiB"


def _ids(cases: Any) -> list[Any]:
    return [pytest.param(one, id=one.name, marks=[pytest.mark.slow] if one.slow else []) for one in cases]


@pytest.mark.parametrize("case", _ids(FILES))
def test_a_hostile_file_is_refused_in_one_line(
    case: Case, sound: ground.Ground, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(case, sound, work, capsys)


@pytest.mark.parametrize("case", _ids(TARGETS))
def test_a_hostile_target_is_refused_in_one_line(
    case: Case, sound: ground.Ground, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(case, sound, work, capsys)


def test_the_ground_is_sound(sound: ground.Ground, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else every case would pass for another reason than its own."""
    sound.copy(work, "bundle", "pieces", "run", "train.tsv", "shards", "one", "two", *(f"u{n}.wav" for n in range(4)))
    sound.copy(work, "comparison.json")
    (work / "mine.yaml").write_text("# @package _global_\ndefaults: [/base, _self_]\n")
    for arguments in (
        ["transcribe", "bundle", "u0.wav"],
        ["transcribe", "pieces", "u0.wav"],
        ["prepare", ground.RECIPE, *ground.SHARDS],
        ["compare", "one", "two"],
        ["compare", "comparison.json"],
        ["average", "run", "--last", "1"],
        ["prepare", "mine.yaml", *ground.TABLES],
    ):
        assert main(arguments) == 0, (arguments, capsys.readouterr().err)


def test_links_to_files_are_read(sound: ground.Ground, work: Path) -> None:
    """As in the cache of a hub, whose files are links to others elsewhere."""
    sound.copy(work, "bundle", "u0.wav")
    (work / "blobs").mkdir()
    for path in list((work / "bundle").iterdir()):
        path.rename(work / "blobs" / path.name)
        path.symlink_to(work / "blobs" / path.name)
    assert main(["transcribe", "bundle", "u0.wav"]) == 0


def test_there_are_many() -> None:
    assert len(FILES) > 300
    assert len(TARGETS) >= 15
    assert len({case.name for case in (*FILES, *TARGETS)}) == len(FILES) + len(TARGETS)
