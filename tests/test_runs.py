"""Run folders: one per configuration, found again, finished only when the card says so."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasasr import runs
from lasasr.errors import LasasrError
from lasasr.runs import Run, fingerprint, place, shortened

CONFIG = {
    "recipe": "synthetic/las_char",
    "choices": {"attend": "dot"},
    "seed": 3,
    "data_dir": "data",
    "prepared_dir": "data/prepared",
    "runs_dir": "runs",
    "attend": {"_target_": "lasasr.attend.Dot", "dim": 8, "scale": 1.0},
    "corpus": {"root": "data/LibriSpeech", "splits": ["test", "dev"]},
    "early_stopping": None,
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LASASR_RUNS", raising=False)


@pytest.fixture
def run() -> Run:
    made = place(CONFIG, ["attend=dot"])
    made.start(CONFIG, ["attend=dot", "seed=3"], commit="abc")
    return made


def test_the_name_says_recipe_overrides_seed_and_hash() -> None:
    folder = place(CONFIG, ["seed=3", "listen.layers=2", "attend=dot"]).folder
    assert folder == Path(f"runs/synthetic/las_char/attend-dot_layers-2-s3-{fingerprint(CONFIG)}")


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "default"),
        (["seed=7"], "default"),
        (["hydra/launcher=basic", "hydra.verbose=true"], "default"),
        (["+corpus.train=/my data/tr*in.tsv"], "train-my-data-tr-in.tsv"),
        (["~augment"], "augment"),
        (["attend=dot,location"], "attend-dot,location"),
        (["final=Größe"], "final-Gr-e"),
    ],
)
def test_shortened(overrides: list[str], name: str) -> None:
    assert shortened(overrides) == name


@given(st.lists(st.text(min_size=1, max_size=80), max_size=20))
def test_a_name_is_safe_for_any_file_system_and_shell(overrides: list[str]) -> None:
    name = shortened(overrides)
    assert 1 <= len(name) <= runs.NAME_LENGTH
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._,-")
    assert name[0] not in ".-"


@pytest.mark.parametrize(
    "same",
    [
        {"runs_dir": "/scratch/runs"},
        {"data_dir": "/corpora", "corpus": {"root": "/corpora/LibriSpeech", "splits": ["test", "dev"]}},
        {"recipe": "mine"},
        {"attend": {"scale": 1, "dim": 8.0, "_target_": "lasasr.attend.Dot"}},
    ],
)
def test_where_things_lie_does_not_change_the_hash(same: dict[str, Any]) -> None:
    assert fingerprint({**CONFIG, **same}) == fingerprint(CONFIG)


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 4},
        {"attend": {"_target_": "lasasr.attend.Dot", "dim": 9, "scale": 1.0}},
        {"attend": {"_target_": "lasasr.attend.Dot", "dim": 8, "scale": 1.5}},
        {"corpus": {"root": "database/LibriSpeech", "splits": ["test", "dev"]}},
        {"corpus": {"root": "data/LibriSpeech", "splits": ["dev", "test"]}},
        {"early_stopping": False},
        {"early_stopping": 0},
    ],
)
def test_every_value_changes_the_hash(other: dict[str, Any]) -> None:
    assert fingerprint({**CONFIG, **other}) != fingerprint(CONFIG)


def test_the_same_configuration_finds_its_folder_however_it_was_asked_for(run: Run) -> None:
    assert place(CONFIG, ["attend=dot"]) == run
    assert place(CONFIG, []) == run
    assert place({**CONFIG, "seed": 4}, ["attend=dot"]) != run


def test_a_run_is_finished_when_its_card_says_so(run: Run) -> None:
    assert place({**CONFIG, "seed": 4}, []).status == "absent"
    assert run.status == "unfinished"
    run.note(parameters=12)
    assert run.status == "unfinished"
    run.finish(results={"test": 4.2})
    assert run.status == "finished"
    card = run.card()
    assert (card["schema"], card["seed"], card["commit"], card["parameters"]) == (1, 3, "abc", 12)
    assert card["results"] == {"test": 4.2}
    assert card["started_at"] <= card["finished_at"]


def test_what_was_written_is_read(run: Run) -> None:
    assert run.config() == {"schema": 1, **CONFIG}
    assert run.overrides() == ["attend=dot", "seed=3"]


def test_a_card_lost_after_training_began_is_unfinished(run: Run) -> None:
    run.checkpoints.mkdir()
    (run.folder / "card.json").unlink()
    assert run.status == "unfinished"


def test_a_card_that_cannot_be_written_leaves_the_older_one(run: Run) -> None:
    before = run.card()
    with pytest.raises(ValueError, match="JSON"):
        run.finish(percent=math.nan)
    assert run.card() == before
    assert sorted(path.name for path in run.folder.iterdir()) == ["card.json", "config.yaml", "overrides.txt"]


@pytest.mark.parametrize("text", ['{"schema": 1, "sta', "[]", '{"schema": 9}', ""])
def test_a_damaged_card_is_named(run: Run, text: str) -> None:
    (run.folder / "card.json").write_text(text)
    with pytest.raises(LasasrError, match=r"^[^\n]*card\.json[^\n]*$"):
        _ = run.status


@pytest.mark.parametrize("text", ["a: [1", "- 1", "schema: 2"])
def test_a_damaged_config_is_named(run: Run, text: str) -> None:
    (run.folder / "config.yaml").write_text(text)
    with pytest.raises(LasasrError, match=r"^[^\n]*config\.yaml[^\n]*$"):
        run.config()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read in (Run(tmp_path).config, Run(tmp_path).card, Run(tmp_path).overrides):
        with pytest.raises(LasasrError, match="is missing"):
            read()


@pytest.mark.parametrize("inside", ["", "checkpoints", "checkpoints/last.ckpt", "bundle", "results"])
def test_find_run_takes_the_folder_and_what_is_in_it(run: Run, inside: str) -> None:
    assert runs.find_run(run.folder / inside) == run
    assert runs.find_run(f"{run.folder / inside}/") == run


def test_find_run_looks_below_the_runs_root(run: Run) -> None:
    assert runs.find_run(run.folder.relative_to("runs")) == run


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("runs/synthetic/las_cha", "does not exist; nearest: {run}"),
        ("/nowhere/at/all", "does not exist; nearest: {run}"),
        ("runs", "is no run folder; nearest: {run}"),
        ("runs/synthetic/las_char", "is no run folder, but holds 1: name those, as {run}"),
    ],
)
def test_find_run_names_the_nearest(run: Run, path: str, told: str) -> None:
    with pytest.raises(LasasrError, match=f"{path} {told.format(run=run.folder)}"):
        runs.find_run(path)


def test_find_run_says_when_there_is_none() -> None:
    with pytest.raises(LasasrError, match="none are known"):
        runs.find_run("x")


def test_a_bundle_is_found_in_a_run_and_elsewhere(run: Run, tmp_path: Path) -> None:
    with pytest.raises(LasasrError, match="has no bundle yet"):
        runs.bundle_folder(run.folder)
    for folder in (run.bundle, tmp_path / "exported"):
        folder.mkdir()
        (folder / "model.safetensors").touch()
    assert runs.bundle_folder(run.folder) == run.bundle
    assert runs.bundle_folder(run.bundle) == run.bundle
    assert runs.bundle_folder(tmp_path / "exported") == tmp_path / "exported"


def test_a_sweep_is_its_runs_that_have_begun(run: Run) -> None:
    waiting = place({**CONFIG, "seed": 4}, [])
    folder = runs.start_sweep(run.folder.parent, CONFIG["recipe"], ["seed=3,4"], [run.folder, waiting.folder])
    assert [found.folder.resolve() for found in runs.find_runs(folder)] == [run.folder.resolve()]
    waiting.start({**CONFIG, "seed": 4}, [])
    assert len(runs.find_runs(folder)) == 2
    assert runs.find_runs(run.folder) == [run]


def test_a_sweep_without_runs_says_so() -> None:
    folder = runs.start_sweep(Path("runs/x"), "x", ["seed=1,2"], [Path("runs/x/a")])
    assert json.loads((folder / "sweep.json").read_text())["runs"] == ["../a"]
    with pytest.raises(LasasrError, match="has begun"):
        runs.find_runs(folder)


def test_how_a_run_is_looked_at_and_keys_that_are_younger_do_not_change_its_folder() -> None:
    older = {**CONFIG, "trainer": {"max_epochs": 3}}
    tensorboard: dict[str, Any] = {"tensorboard": {"_target_": "lasasr.training.local_loggers.TensorBoard"}}
    for younger in (
        {"logger": tensorboard, "callbacks": {}},
        {"logger": {}, "trainer": {"max_epochs": 3, "profiler": "simple"}},
    ):
        assert fingerprint({**older, **younger}) == fingerprint(older)
    mine = {"callbacks": {"mine": {"_target_": "mine.Freeze"}}}
    assert fingerprint({**older, **mine}) != fingerprint(older)
