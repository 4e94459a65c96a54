"""-m: every combination runs once, a mistake in any shows before the first, and no folder is left about."""

import json
import pickle
import traceback
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hydra.core.plugins import Plugins

from lasasr import runs
from lasasr.cli.compose import compose
from lasasr.cli.sweep import Job, sweep
from lasasr.errors import Interrupted, LasasrError, UsageError

RECIPE = "synthetic/las_char"
SEEN: list[tuple[dict[str, Any], list[str]]] = []


def note(config: dict[str, Any], overrides: list[str]) -> float:
    """A work that only remembers what it was given."""
    SEEN.append((config, overrides))
    return float(config["seed"])


def fail_on_dot(config: dict[str, Any], overrides: list[str]) -> None:
    """A work that fails for one attention."""
    note(config, overrides)
    if config["choices"]["attend"] == "dot":
        raise LasasrError("the dot\nfell off")


def interrupted(config: dict[str, Any], overrides: list[str]) -> None:
    """A work that a signal ends."""
    note(config, overrides)
    raise Interrupted(15)


class Held:
    """What a failing work has in its frame, as a model on a GPU."""


@dataclass
class Hold:
    """A work that fails while it holds something."""

    kept: list[weakref.ref[Held]]

    def __call__(self, config: dict[str, Any], overrides: list[str]) -> None:
        held = Held()
        self.kept.append(weakref.ref(held))
        raise ZeroDivisionError("a bug")


@pytest.fixture(autouse=True)
def nothing_seen(dictionary: Path) -> None:
    SEEN.clear()


def test_every_job_gets_what_compose_gives() -> None:
    sweep(RECIPE, ["attend=dot,location", "seed=3,4"], note)
    expected = [[f"attend={attend}", f"seed={seed}"] for attend in ("dot", "location") for seed in (3, 4)]
    assert [overrides for _, overrides in SEEN] == expected
    assert [config for config, _ in SEEN] == [compose(RECIPE, job) for job in expected]


def test_it_leaves_only_the_folder_of_the_sweep(capfd: pytest.CaptureFixture[str]) -> None:
    sweep(RECIPE, ["attend=glob(*)"], note)
    assert [path.name for path in Path().iterdir()] == ["runs"]
    (folder,) = Path("runs", RECIPE).iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["multirun.yaml", "sweep.json"]
    about = json.loads((folder / "sweep.json").read_text())
    places = [runs.place(config, overrides).folder for config, overrides in SEEN]
    assert [(folder / one).resolve() for one in about["runs"]] == [place.resolve() for place in places]
    printed = capfd.readouterr().out.splitlines()
    assert printed[:2] == ["job 0: attend=dot", "job 1: attend=location"]
    assert printed[-1].split()[:4] == ["compare:", "lasasr", "compare", f"runs/{RECIPE}/{folder.name}"]


def test_a_mistake_in_the_last_job_shows_before_the_first_runs() -> None:
    with pytest.raises(UsageError, match="unknown choice attend=locatoin; nearest: location"):
        sweep(RECIPE, ["attend=dot,locatoin"], note)
    with pytest.raises(UsageError, match="seed takes a whole number"):
        sweep(RECIPE, ["seed=1,2,x"], note)
    with pytest.raises(UsageError, match="unknown choice hydra/launcher=cloud; nearest: basic"):
        sweep(RECIPE, ["seed=1,2", "hydra/launcher=cloud"], note)
    with pytest.raises(UsageError, match=r"hydra.sweep.dir=here has no effect: a run lies in runs_dir=DIR"):
        sweep(RECIPE, ["seed=1,2", "hydra.sweep.dir=here"], note)
    assert SEEN == []
    assert list(Path().iterdir()) == []


def test_a_failing_job_is_named_and_the_others_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LasasrError, match=r"1 job\(s\) failed, see above; .* --resume runs/synthetic/las_char/sweep-"):
        sweep(RECIPE, ["attend=dot,location"], fail_on_dot)
    assert len(SEEN) == 2
    assert capsys.readouterr().err.splitlines() == ["lasasr: job 0 (attend=dot) failed: the dot fell off"]


def test_the_traceback_of_a_failed_job_is_kept_for_v_and_its_frames_are_not() -> None:
    kept: list[weakref.ref[Held]] = []
    with pytest.raises(LasasrError) as caught:
        sweep(RECIPE, ["seed=1,2"], Hold(kept))
    assert [one() for one in kept] == [None, None]
    told = "".join(traceback.format_exception(caught.value))
    assert "in __call__" in told
    assert "ZeroDivisionError: a bug" in told


def test_a_job_that_the_launcher_lost_can_be_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: Any, **__: Any) -> None:
        raise RuntimeError("job 7 has not produced any output\n" + 1000 * "its log ")

    basic = Plugins.instance().class_name_to_class["hydra._internal.core_plugins.basic_launcher.BasicLauncher"]
    monkeypatch.setattr(basic, "launch", lost)
    with pytest.raises(LasasrError, match=r"launcher basic .* --resume runs/.* \(RuntimeError: job 7") as caught:
        sweep(RECIPE, ["seed=1,2", "hydra/launcher=basic"], note)
    assert len(str(caught.value)) < 600


def test_a_signal_ends_the_whole_sweep_and_it_is_said_how_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Interrupted):
        sweep(RECIPE, ["seed=1,2"], interrupted)
    assert len(SEEN) == 1
    assert "the sweep goes on with: lasasr train --resume runs/synthetic/las_char/sweep-" in capsys.readouterr().err


def test_a_sweep_goes_on_where_its_runs_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = (Path("runs") / RECIPE).resolve()
    sweep(RECIPE, ["seed=1,2"], note)
    sweep(RECIPE, ["seed=1,2"], note, beside=begun)
    assert len(SEEN) == 4
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="go on from the folder where it was begun"):
        sweep(RECIPE, ["seed=1,2"], note, beside=begun)
    assert len(SEEN) == 4
    assert list(Path().iterdir()) == []


def test_a_job_travels_to_another_machine() -> None:
    job = pickle.loads(pickle.dumps(Job(note, RECIPE)))
    assert (job.work, job.name) == (note, RECIPE)


def test_a_path_with_odd_signs_is_no_grammar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASASR_RUNS", str(tmp_path / "it's, a [run] ${x}"))
    sweep(RECIPE, ["seed=1,2"], note)
    assert len(SEEN) == 2
    assert (tmp_path / "it's, a [run] ${x}" / RECIPE).is_dir()
