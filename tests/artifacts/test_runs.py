"""Run folders: one per configuration, found again, finished only when the card says so."""

import math
from pathlib import Path
from typing import Any

import pytest

from lasasr.artifacts import runs
from lasasr.artifacts.runs import Run, place, placed
from lasasr.configuration.identity import system_digest
from lasasr.errors import LasasrError, UsageError

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
    assert folder == Path(f"runs/synthetic/las_char/attend-dot_layers-2-s3-{system_digest(CONFIG)}")


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


def begun(config: dict[str, Any], name: str, checkpoint: bool = True) -> Run:
    """A run of some name, as an earlier version would have left it."""
    made = Run(Path("runs") / config["recipe"] / name)
    made.start(config, [])
    if checkpoint:
        made.checkpoints.mkdir()
        (made.checkpoints / "last.ckpt").touch()
    return made


SAME: list[dict[str, Any]] = [
    {"attend": {"dim": 8.0, "_target_": "lasasr.attend.Dot", "scale": 1}},
    {"early_stopping": None, "ema": None, "threads": 4},
    {"loading": {"_target_": "lasasr.data.loader.Loading", "num_workers": 3}},
    {"name": "mine", "evaluate": {"splits": ["dev"]}},
    {"data_dir": "/corpora", "corpus": {"root": "/corpora/LibriSpeech", "splits": ["test", "dev"]}},
]


@pytest.mark.parametrize("changes", SAME)
def test_a_run_is_found_by_its_configuration_whatever_its_folder_is_called(changes: dict[str, Any]) -> None:
    old = begun(CONFIG, "attend-dot-s3-00000000")
    assert place({**CONFIG, **changes}, ["anything=else"]) == old
    del changes
    assert place({**CONFIG, "early_stopping": 2}, []) != old


@pytest.mark.parametrize("name", ["attend-dot-s3-0000000", "attend-dot-s4-00000000", "s3-00000000-copy", "best"])
def test_other_folders_are_not_looked_at(name: str) -> None:
    begun(CONFIG, name)
    assert place(CONFIG, []).status == "absent"


def test_fresh_leaves_the_run_and_the_newest_is_found_from_then_on() -> None:
    old = begun(CONFIG, "attend-dot-s3-00000000")
    first = placed(CONFIG, ["attend=dot"], fresh=True)
    assert first.run.folder.name == f"attend-dot-s3-{system_digest(CONFIG)}-2"
    assert first.remarks == (f"{old.folder} stays; it is trained again in {first.run.folder}",)
    first.run.start(CONFIG, [])
    assert place(CONFIG, []) == first.run
    second = place(CONFIG, [], fresh=True)
    assert second.folder.name == f"default-s3-{system_digest(CONFIG)}-3"
    assert old.status == "unfinished"
    assert placed({**CONFIG, "seed": 4}, [], fresh=True).remarks == ()


def test_a_default_that_has_changed_since_makes_another_run() -> None:
    """The folder has the name of today's configuration, but was begun with another default."""
    before = {**CONFIG, "early_stopping": 9}
    named = begun(before, f"default-s3-{system_digest(CONFIG)}")
    other, remarks = placed(CONFIG, [])
    assert other.folder == named.folder.with_name(f"{named.folder.name}-2")
    assert remarks == (
        f"{named.folder} was begun with other defaults (early_stopping=9, here null): this is another run, "
        f"{other.folder}",
    )
    other.start(CONFIG, [])
    assert placed(CONFIG, []) == (other, ())
    assert place(before, []) == named


def test_what_is_asked_for_in_vain_is_said() -> None:
    old = begun(CONFIG, "default-s3-00000000")
    loading = {"_target_": "lasasr.data.loader.Loading", "num_workers": 3}
    found, remarks = placed({**CONFIG, "loading": loading, "name": "x"}, ["loading.num_workers=3"])
    assert found == old
    assert remarks == (
        f'{old.folder} keeps loading._target_=its default, not "lasasr.data.loader.Loading", '
        'loading.num_workers=its default, not 3, name=its default, not "x": that changes nothing of what is trained',
    )
    assert placed(CONFIG, []).remarks == ()


def test_a_run_without_a_checkpoint_begins_with_what_is_asked_for_now() -> None:
    begun(CONFIG, "default-s3-00000000", checkpoint=False)
    assert placed({**CONFIG, "threads": 3}, []).remarks == ()


def test_a_damaged_run_of_that_name_is_named_and_others_are_passed_over() -> None:
    own, other = begun(CONFIG, f"x-s3-{system_digest(CONFIG)}"), begun(CONFIG, "x-s3-00000000")
    for run in (own, other):
        (run.folder / "config.yaml").write_text("a: [1")
    with pytest.raises(LasasrError, match=r"^[^\n]*config\.yaml is damaged[^\n]*--fresh[^\n]*$"):
        place(CONFIG, [])
    assert place(CONFIG, [], fresh=True).folder.name == f"default-s3-{system_digest(CONFIG)}-2"


def test_an_empty_folder_of_that_name_is_taken() -> None:
    empty = Path("runs", CONFIG["recipe"], f"x-s3-{system_digest(CONFIG)}")
    empty.mkdir(parents=True)
    assert place(CONFIG, []).folder == empty


def test_a_name_stands_for_the_overrides() -> None:
    ending = f"s3-{system_digest(CONFIG)}"
    assert place({**CONFIG, "name": "my best/one"}, ["attend=dot"]).folder.name == f"my-best-one-{ending}"
    assert place({**CONFIG, "name": None}, ["name=null"]).folder.name == f"default-{ending}"
    with pytest.raises(UsageError, match="name='///' cannot be part"):
        place({**CONFIG, "name": "///"}, [])
