"""Where some splits are read only, no others are prepared, unless a tokenizer learns from train."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lasasr.artifacts.runs import Run
from lasasr.cli.compose import compose
from lasasr.configuration.settings import Recognition, load
from lasasr.distributed.ranks import Ranks
from lasasr.errors import UsageError
from lasasr.preparation.speech import prepare, prepare_splits
from lasasr.tasks.lookup import task_of

SMALL = ("corpus.hours=0.002", "corpus.dev_utterances=2", "corpus.test_utterances=2", "corpus.workers=1")


def silent(*_: object) -> None:
    """Progress that nobody watches."""


def settings(folder: Path) -> Recognition:
    loaded = load(compose("synthetic/las_char", [*SMALL, f"prepared_dir={folder}"]), "test")
    assert isinstance(loaded, Recognition)
    return loaded


def test_only_the_wanted_splits_are_prepared_and_are_the_same_as_of_all(tmp_path: Path) -> None:
    only = prepare_splits(settings(tmp_path / "only"), silent, only=["test"])
    assert only.names == ["test"]
    every = prepare_splits(settings(tmp_path / "every"), silent)
    assert every.names == ["dev", "test", "train"]
    assert only.content("test") == every.content("test")


def test_a_tokenizer_that_learns_from_train_has_train(tmp_path: Path) -> None:
    assert "train" in prepare(settings(tmp_path), silent, only=["test"]).names


@pytest.mark.parametrize("recipe", ["synthetic/las_char", "lm/synthetic_char"])
def test_a_split_that_the_corpus_lacks_is_refused_with_all_that_it_has(recipe: str, tmp_path: Path) -> None:
    folder = f"prepared_dir={tmp_path / 'prepared'}"
    small = SMALL if recipe == "synthetic/las_char" else ()
    there = task_of(load(compose(recipe, [*small, folder]), "test")).current_splits(silent).names
    shutil.rmtree(tmp_path / "prepared")
    if small:
        prepare_splits(settings(tmp_path / "prepared"), silent, only=["test"])
    wrong = task_of(load(compose(recipe, [*small, folder, "evaluate.splits=[tset]"]), "test"))
    with pytest.raises(UsageError, match=f"evaluate.splits names tset; the corpus has {', '.join(there)} "):
        wrong.evaluate(Run(tmp_path / "run"), [], "cpu", Ranks(), silent)
