"""sweep.json: what is written is read, what is damaged is named."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from lasasr.artifacts import sweeps
from lasasr.artifacts.runs import Run
from lasasr.artifacts.sweeps import PlannedRun, Sweep
from lasasr.errors import LasasrError

CONFIG: dict[str, Any] = {"recipe": "x", "seed": 1, "runs_dir": "runs", "attend": {"dim": 8, "scale": 1.5}}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written_sweep(*names: str) -> Sweep:
    jobs = [PlannedRun([f"k={name}"], {**CONFIG, "k": name}, Run(Path("runs/x") / name)) for name in names]
    sweep = Sweep(Path("runs/x/sweep-a-00000000"), "x", ["k=a,b"], jobs, [job.run for job in jobs], "submitit")
    sweeps.write(sweep)
    return sweep


def test_what_is_written_is_read() -> None:
    sweep = written_sweep("a", "b")
    assert sweeps.read(sweep.folder) == sweep
    assert json.loads((sweep.folder / "sweep.json").read_text())["runs"] == ["../a", "../b"]
    assert sweep.job(["k=b"]).config["k"] == "b"
    with pytest.raises(LasasrError, match=r"sweep\.json has no job k=c"):
        sweep.job(["k=c"])


def test_values_without_end_are_kept() -> None:
    job = PlannedRun([], {**CONFIG, "most": math.inf}, Run(Path("runs/x/a")))
    sweeps.write(Sweep(Path("runs/x/sweep-a-0"), "x", [], [job], [job.run]))
    assert sweeps.read(Path("runs/x/sweep-a-0")).jobs == [job]


def test_a_sweep_of_0_1_0_has_runs_and_no_jobs() -> None:
    folder = Path("runs/x/sweep-a-0")
    folder.mkdir(parents=True)
    (folder / "sweep.json").write_text('{"schema": 1, "recipe": "x", "overrides": ["seed=1,2"], "runs": ["../a"]}')
    assert sweeps.read(folder) == Sweep(folder, "x", ["seed=1,2"], [], [Run(Path("runs/x/a"))], "basic")


DAMAGED = [
    "",
    "[]",
    '{"schema": 1}',
    '{"schema": 9, "recipe": "", "overrides": [], "runs": []}',
    '{"schema": 1, "recipe": "", "overrides": [], "runs": [], "jobs": [{}]}',
    '{"schema": 1, "recipe": "", "overrides": [], "runs": ["../a"], "jobs": [{"config": {}}]}',
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_one_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(LasasrError, match=r"^[^\n]*sweep\.json[^\n]*$"):
        sweeps.read(tmp_path)


def test_a_sweep_knows_its_runs_that_have_begun() -> None:
    sweep = written_sweep("a", "b")
    assert sweeps.read(sweep.folder).begun == []
    for job in sweep.jobs:
        job.run.start(job.config, job.overrides)
    assert sweeps.read(sweep.folder).begun == sweep.planned


def test_the_order_of_words_and_the_name_make_no_other_sweep() -> None:
    parent = Path("runs/x")
    plain = sweeps.sweep_folder(parent, ["seed=1,2", "attend=a,b"])
    assert plain.name.startswith("sweep-attend-a,b-")
    named = sweeps.sweep_folder(parent, ["attend=a,b", "name=mine", "seed=1,2"], "mine")
    assert named.name == plain.name.replace("attend-a,b", "mine")
    assert sweeps.sweep_folder(parent, ["attend=a,c", "seed=1,2"]).name[-8:] != plain.name[-8:]


def test_a_sweep_with_other_runs_gets_a_folder_of_its_own() -> None:
    parent, words = Path("runs/x"), ["k=a,b"]
    first = sweeps.choose_sweep_folder(parent, words, [parent / "a"])
    begun = Run(parent / "a")
    sweeps.write(Sweep(first, "x", words, [], [begun]))
    assert sweeps.choose_sweep_folder(parent, words, [parent / "b"]) == first  # nothing of it has begun
    begun.start(CONFIG, [])
    assert sweeps.choose_sweep_folder(parent, words, [parent / "a", parent / "b"], "called") == first
    second = sweeps.choose_sweep_folder(parent, words, [parent / "b"], "called")
    assert second.name == f"{sweeps.sweep_folder(parent, words, 'called').name}-2"
