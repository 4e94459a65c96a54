"""Where some splits are read only, no others are prepared, unless a tokenizer learns from train."""

from __future__ import annotations

from pathlib import Path

from lasasr.cli.compose import compose
from lasasr.configuration.settings import Recognition, load
from lasasr.preparation.speech import prepare, prepare_splits

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
