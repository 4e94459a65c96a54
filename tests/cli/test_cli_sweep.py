"""-m: every combination runs once, a mistake in any shows before the first, and no folder is left about."""

import json
import pickle
import traceback
import weakref
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.plugins import Plugins

from lasasr.artifacts import run_choice, runs, sweeps
from lasasr.artifacts.runs import Run
from lasasr.cli.compose import compose
from lasasr.cli.sweep import Job, resume, sweep
from lasasr.errors import Interrupted, LasasrError, UsageError

RECIPE = "synthetic/las_char"
SEEN: list[tuple[dict[str, Any], list[str]]] = []
PLACES: list[Path] = []


def note(run: Run, config: dict[str, Any], overrides: list[str]) -> float:
    """A work that only remembers what it was given."""
    SEEN.append((config, overrides))
    PLACES.append(run.folder)
    return float(config["seed"])


def fail_on_dot(run: Run, config: dict[str, Any], overrides: list[str]) -> None:
    """A work that fails for one attention."""
    note(run, config, overrides)
    if config["choices"]["attend"] == "dot":
        raise LasasrError("the dot\nfell off")


def interrupted(run: Run, config: dict[str, Any], overrides: list[str]) -> None:
    """A work that a signal ends."""
    note(run, config, overrides)
    raise Interrupted(15)


class Held:
    """What a failing work has in its frame, as a model on a GPU."""


@dataclass
class Hold:
    """A work that fails while it holds something."""

    kept: list[weakref.ref[Held]]

    def __call__(self, run: Run, config: dict[str, Any], overrides: list[str]) -> None:
        held = Held()
        self.kept.append(weakref.ref(held))
        raise ZeroDivisionError("a bug")


@pytest.fixture(autouse=True)
def nothing_seen(dictionary: Path) -> None:
    SEEN.clear()
    PLACES.clear()


def test_every_job_gets_what_compose_gives() -> None:
    sweep(RECIPE, ["attend=dot,location", "seed=3,4"], note)
    expected = [[f"attend={attend}", f"seed={seed}"] for attend in ("dot", "location") for seed in (3, 4)]
    assert [overrides for _, overrides in SEEN] == expected
    assert [config for config, _ in SEEN] == [compose(RECIPE, job) for job in expected]


def test_each_choice_is_composed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Hydra, which is slow; keys are set on top. Beside that: Hydra's own defaults, and what the jobs share."""
    loads: list[list[str]] = []
    load = ConfigLoaderImpl.load_configuration

    def counted(self: ConfigLoaderImpl, **options: Any) -> Any:
        loads.append([one for one in options["overrides"] if not one.startswith("hydra")])
        return load(self, **options)

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", counted)
    sweep(RECIPE, ["attend=dot,location", "seed=1,2,3", "final=last"], note)
    assert len(SEEN) == 6
    assert sorted(loads) == [[], ["attend=dot"], ["attend=location"], ["final=last"]]


def test_it_leaves_only_the_folder_of_the_sweep(capfd: pytest.CaptureFixture[str]) -> None:
    sweep(RECIPE, ["attend=glob(*)"], note)
    assert [path.name for path in Path().iterdir()] == ["runs"]
    (folder,) = Path("runs", RECIPE).iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["sweep.json"]
    about = json.loads((folder / "sweep.json").read_text())
    places = [run_choice.run_for(config, overrides).folder for config, overrides in SEEN]
    assert [(folder / one).resolve() for one in about["runs"]] == [place.resolve() for place in places]
    # what loads torch is said only where it was not there yet
    printed = [line for line in capfd.readouterr().out.splitlines() if "loading torch" not in line]
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


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("listen.layerz=3", "unknown key listen.layerz; nearest: listen.layers"),
        ("listen.layerz=3,4", "unknown key listen.layerz; nearest: listen.layers"),
        ("listen=nowhere", "unknown choice listen=nowhere"),
        ("seed=abc,2", "seed takes a whole number"),
    ],
)
def test_a_mistake_is_not_laid_to_what_is_swept(mistake: str, message: str) -> None:
    """As in a run alone: `add -m` helps nobody who has."""
    for overrides in ([mistake, "attend=dot,location"], ["attend=dot,location", mistake]):
        with pytest.raises(UsageError) as refused:
            sweep(RECIPE, overrides, note)
        assert message in str(refused.value)
        assert "add -m" not in str(refused.value)


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
    sweep(RECIPE, ["seed=1,2"], note)
    folder = only_sweep().resolve()
    resume(folder, note)
    assert len(SEEN) == 4
    assert [place.resolve() for place in PLACES[2:]] == [place.resolve() for place in PLACES[:2]]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="go on from the folder where it was begun"):
        resume(folder, note)
    assert len(SEEN) == 4
    assert list(Path().iterdir()) == []
    monkeypatch.setenv("LASASR_RUNS", str(tmp_path / "work" / "runs"))
    resume(folder, note)
    assert len(SEEN) == 6


def test_a_job_travels_to_another_machine() -> None:
    job = pickle.loads(pickle.dumps(Job(note, RECIPE)))
    assert (job.work, job.name, job.folder) == (note, RECIPE, None)


def test_a_path_with_odd_signs_is_no_grammar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASASR_RUNS", str(tmp_path / "it's, a [run] ${x}"))
    sweep(RECIPE, ["seed=1,2"], note)
    assert len(SEEN) == 2
    assert (tmp_path / "it's, a [run] ${x}" / RECIPE).is_dir()


def only_sweep() -> Path:
    (folder,) = Path("runs", RECIPE).glob("sweep-*")
    return folder


def begin(run: Run, config: dict[str, Any], overrides: list[str]) -> None:
    """A work that leaves a finished run."""
    note(run, config, overrides)
    run.start(config, overrides)
    run.finish()


def as_of_0_1_0(folder: Path) -> None:
    """Leave in sweep.json what version 0.1.0 wrote."""
    about = json.loads((folder / "sweep.json").read_text())
    kept = {key: about[key] for key in ("schema", "recipe", "overrides", "runs")}
    (folder / "sweep.json").write_text(json.dumps(kept))


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_a_sweep_keeps_the_configuration_of_every_job() -> None:
    sweep(RECIPE, ["attend=dot,location", "optimizer.lr=2e-3"], note)
    kept = sweeps.read(only_sweep())
    assert [job.config for job in kept.jobs] == [config for config, _ in SEEN]
    assert [job.overrides for job in kept.jobs] == [overrides for _, overrides in SEEN]
    assert (kept.recipe, kept.launcher) == (RECIPE, "basic")


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("recipes/synthetic/las_char.yaml", "layers: 2", "layers: 5"),
        ("configs/base.yaml", "final: best", "final: last"),
        ("configs/attend/dot.yaml", "dim: 8", "dim: 8, younger: 3"),
    ],
)
def test_it_goes_on_with_what_it_was_begun_with(dictionary: Path, file: str, before: str, after: str) -> None:
    sweep(RECIPE, ["attend=dot,location"], note)
    edit(dictionary / file, before, after)
    resume(only_sweep(), note)
    assert SEEN[2:] == SEEN[:2]
    assert PLACES[2:] == PLACES[:2]


@pytest.mark.parametrize("gone", ["recipes/synthetic/las_char.yaml", "configs/attend/dot.yaml", "configs/base.yaml"])
def test_it_goes_on_when_what_it_was_composed_from_is_gone(
    dictionary: Path, gone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep(RECIPE, ["attend=dot,location"], note)
    (dictionary / gone).unlink()
    capsys.readouterr()
    resume(only_sweep(), note)
    assert SEEN[2:] == SEEN[:2]
    assert "launcher" not in capsys.readouterr().out


def test_another_launcher_that_cannot_be_used_any_more_is_named(
    dictionary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep(RECIPE, ["attend=dot,location"], note)
    kept = sweeps.read(only_sweep())
    sweeps.write(replace(kept, launcher="submitit_slurm"))
    (dictionary / "recipes/synthetic/las_char.yaml").unlink()
    resume(kept.folder, note)
    told = capsys.readouterr().out
    assert "the jobs run here, one after the other, and not by the launcher submitit_slurm: unknown recipe" in told
    assert len(SEEN) == 4


def test_jobs_that_are_still_to_come_do_not_see_a_recipe_that_is_edited_meanwhile(dictionary: Path) -> None:
    path = dictionary / "recipes/synthetic/las_char.yaml"

    def meddle(run: Run, config: dict[str, Any], overrides: list[str]) -> None:
        note(run, config, overrides)
        path.write_text(path.read_text().replace("layers: 2", "layers: 7"))

    sweep(RECIPE, ["seed=1,2"], meddle)
    assert [config["listen"]["layers"] for config, _ in SEEN] == [2, 2]


def test_the_same_words_after_an_edit_train_what_they_say_now(
    dictionary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep(RECIPE, ["attend=dot,location"], begin)
    edit(dictionary / "configs/attend/dot.yaml", "dim: 8", "dim: 16")
    sweep(RECIPE, ["attend=dot,location"], note)
    assert PLACES[2] != PLACES[0]
    assert PLACES[3] == PLACES[1]
    first, second = sorted(Path("runs", RECIPE).glob("sweep-*"))
    assert second.name == f"{first.name}-2"
    assert [run.folder for run in sweeps.read(first).planned] == PLACES[:2]
    assert [run.folder for run in sweeps.read(second).planned] == PLACES[2:]


def test_fresh_trains_a_whole_sweep_beside_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    sweep(RECIPE, ["seed=1,2"], begin)
    sweep(RECIPE, ["seed=1,2"], note, fresh=True)
    assert [place.name for place in PLACES[2:]] == [f"{place.name}-2" for place in PLACES[:2]]
    assert f"note: {PLACES[0]} stays; it is trained again in {PLACES[2]}" in capsys.readouterr().out
    resume(sorted(Path("runs", RECIPE).glob("sweep-*"))[1], note)
    assert PLACES[4:] == PLACES[2:4]


def test_a_sweep_of_0_1_0_goes_on(dictionary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What has begun keeps its configuration, the rest is composed from the recipe as it is now."""
    with pytest.raises(Interrupted):
        sweep(RECIPE, ["attend=dot,location"], stop_after_one)
    as_of_0_1_0(only_sweep())
    old = PLACES[0].rename(PLACES[0].with_name("attend-dot-s1-0123abcd"))
    edit(only_sweep() / "sweep.json", PLACES[0].name, old.name)
    edit(dictionary / "recipes/synthetic/las_char.yaml", "layers: 2", "layers: 5")
    resume(only_sweep(), note)
    assert PLACES[1] == old
    assert [config["listen"]["layers"] for config, _ in SEEN] == [2, 2, 5]
    assert SEEN[1] == SEEN[0]
    told = capsys.readouterr().out
    assert "is of version 0.1.0: 1 runs have begun and keep their own configuration, 1 have not" in told
    resume(only_sweep(), note)
    assert "0.1.0" not in capsys.readouterr().out
    assert SEEN[3:] == SEEN[1:3]


def stop_after_one(run: Run, config: dict[str, Any], overrides: list[str]) -> None:
    """A work that a signal ends once the first run has begun."""
    note(run, config, overrides)
    run.start(config, overrides)
    raise Interrupted(15)


def test_a_sweep_of_0_1_0_whose_recipe_is_gone_goes_on_with_what_has_begun(dictionary: Path) -> None:
    with pytest.raises(Interrupted):
        sweep(RECIPE, ["attend=dot,location"], stop_after_one)
    as_of_0_1_0(only_sweep())
    (dictionary / "recipes/synthetic/las_char.yaml").unlink()
    with pytest.raises(LasasrError, match="that have not begun cannot be composed any more: unknown recipe"):
        resume(only_sweep(), note)
    assert SEEN[1:] == SEEN[:1]


def test_a_run_that_was_begun_alone_meanwhile_is_taken() -> None:
    sweep(RECIPE, ["attend=dot,location"], note)
    alone = compose(RECIPE, ["attend=dot"])
    other = runs.Run(PLACES[0].with_name(PLACES[0].name.replace("attend-dot", "other")))
    other.start(alone, [])
    resume(only_sweep(), note)
    assert PLACES[2:] == [other.folder, PLACES[1]]


def test_a_name_calls_the_sweep_and_not_its_runs(dictionary: Path) -> None:
    edit(dictionary / "configs/base.yaml", "seed: 1", "seed: 1\nname: null")
    sweep(RECIPE, ["attend=dot,location", "name=first-try"], begin)
    folder = only_sweep()
    assert folder.name.startswith("sweep-first-try-")
    assert [place.name.partition("-s1-")[0] for place in PLACES] == ["attend-dot", "attend-location"]
    assert [config["name"] for config, _ in SEEN] == [None, None]
    sweep(RECIPE, ["attend=dot,location"], note)
    assert PLACES[2:] == PLACES[:2]
    assert only_sweep() == folder
    with pytest.raises(UsageError, match="takes one value with -m"):
        sweep(RECIPE, ["name=a,b"], note)
    with pytest.raises(UsageError, match=r"name='///' cannot be part of a folder's name"):
        sweep(RECIPE, ["attend=dot,location", "seed=2", "name=///"], note)
