"""The shipped yaml files edited as a later version would: runs, sweeps and comparisons stay what they are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from lasasr.artifacts import run_choice, sweeps
from lasasr.artifacts.runs import Run
from lasasr.cli import recipes, session
from lasasr.cli.compose import compose
from lasasr.cli.sweep import resume, sweep
from lasasr.comparison.settings import names, settings
from lasasr.configuration.identity import system_digest

ROOT = Path(__file__).parents[2]
RECIPE = "synthetic/las_char"
LATER = [  # keys at their default that a later version might add
    ("attend/location.yaml", "half_window: 0", "half_window: 0\nmultires: false\nheads: 1\n#"),
    ("optimizer/adam.yaml", "weight_decay: 0.0", "weight_decay: 0.0\namsgrad: false"),
    ("trainer/default.yaml", "max_time: null", "max_time: null\noverfit_batches: 0.0"),
]
EARLIER = [  # keys that an earlier version did not have
    ("base.yaml", "ema: null", "#"),
    ("base.yaml", "early_stopping: null", "#"),
    ("base.yaml", "  monitor: null", "#"),
    ("base.yaml", "name: null", "#"),
    ("loss/joint.yaml", "quantity_weight: 0.0", "#"),
    ("search/_beam.yaml", "temperature: 1.0", "#"),
    ("batching/utterances.yaml", "shards_at_once: null", "#"),
]


@pytest.fixture(autouse=True)
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped yaml files, and an empty working directory."""
    for name in ("configs", "recipes"):
        shutil.copytree(ROOT / name, tmp_path / name)
    folders = (f"file://{tmp_path / 'configs'}", f"file://{tmp_path / 'recipes'}")
    monkeypatch.setattr(session, "DICTIONARY", folders)
    monkeypatch.setattr(recipes, "shipped_folder", lambda: tmp_path / "recipes")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for name in ("LASASR_DATA", "LASASR_RUNS", "LASASR_PREPARED"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "configs"


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


SEEN: list[Run] = []


def train(run: Run, config: dict[str, Any], overrides: list[str]) -> None:
    """A work that leaves a finished run, and says where it has nothing to do."""
    SEEN.append(run)
    assert run.status != "finished"
    run.start(config, overrides)
    run.finish()


def look(run: Run, config: dict[str, Any], overrides: list[str]) -> None:
    """A work that finds all done."""
    SEEN.append(run)
    assert run.status == "finished"


def test_a_key_at_its_default_changes_no_folder_no_hash_and_no_comparison(configs: Path) -> None:
    old = compose(RECIPE)
    for file, before, after in (*LATER, *EARLIER):
        edit(configs / file, before, after)
        new = compose(RECIPE)
        assert new != old, file
        assert system_digest(new) == system_digest(old), file
        assert settings(new).identity == settings(old).identity
        assert names([settings(old), settings({**new, "ema": 0.9})])[1] == "ema=0.9"


def test_a_sweep_finds_its_finished_runs_after_all_these_edits(configs: Path) -> None:
    SEEN.clear()
    overrides = ["attend=dot,location"]
    sweep(RECIPE, overrides, train)
    trained = list(SEEN)
    for file, before, after in (*LATER, *EARLIER):
        edit(configs / file, before, after)
    (folder,) = Path("runs", RECIPE).glob("sweep-*")
    resume(folder, look)
    sweep(RECIPE, overrides, look)
    assert trained * 3 == SEEN
    assert len(list(Path("runs", RECIPE).iterdir())) == 3
    as_of_0_1_0(folder, trained)
    resume(folder, look)
    as_of_0_1_0(folder, [])
    sweep(RECIPE, overrides, look)
    assert [run.folder.name[-8:] for run in SEEN[6:]] == [f"0{run.folder.name[-7:]}" for run in trained] * 2


def as_of_0_1_0(folder: Path, trained: list[Run]) -> None:
    """Leave what version 0.1.0 did: no jobs in sweep.json, and another hash in the folders' names."""
    kept = sweeps.read(folder)
    planned = kept.planned
    for run in trained:
        run.folder.rename(run.folder.with_name(f"{run.folder.name[:-8]}0{run.folder.name[-7:]}"))
        planned = [Run(one.folder.with_name(f"{one.folder.name[:-8]}0{one.folder.name[-7:]}")) for one in kept.planned]
    sweeps.write(sweeps.Sweep(folder, kept.recipe, kept.overrides, [], planned))


def test_a_group_of_ones_own_that_gets_a_key_at_its_default(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("# @package _global_\ndefaults: [/base, {override /attend: own}, _self_]\n")
    own = tmp_path / "attend" / "own.yaml"
    own.parent.mkdir()
    own.write_text("_target_: lasasr.attend.content.DotAttention\n_partial_: true\ndim: 64\n")
    before = compose(str(recipe))
    run = run_choice.run_for(before, [])
    run.start(before, [])
    own.write_text(own.read_text() + "scaled: false\nscale: 1.0\n")
    assert run_choice.run_for(compose(str(recipe)), ["attend=own"]) == run
    own.write_text(own.read_text().replace("scaled: false", "scaled: true"))
    assert run_choice.run_for(compose(str(recipe)), []) != run


def test_how_training_is_run_makes_no_other_run() -> None:
    first = compose(RECIPE)
    run = run_choice.run_for(first, [])
    run.start(first, [])
    run.finish()
    idle = ["loading.num_workers=4", "trainer.log_every_n_steps=1", "name=mine", "threads=2"]
    found, (remark,) = run_choice.choose_run(compose(RECIPE, idle), idle)
    assert found == run
    assert all(override.partition("=")[0] in remark for override in idle)


def begins_anew(recipe: str) -> bool:
    return not recipe.endswith(("attention_phone39", "pretrained_speeds"))


@pytest.mark.parametrize("recipe", filter(begins_anew, recipes.shipped()))
def test_every_recipe_finds_its_own_run(recipe: str) -> None:
    overrides = ["corpus.train=a", "corpus.dev=b"] if "text" in recipe else []
    config = compose(recipe, overrides)
    run = run_choice.run_for(config, overrides)
    run.start(config, overrides)
    assert run_choice.run_for(run.config(), []) == run
