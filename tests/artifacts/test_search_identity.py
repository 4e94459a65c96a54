"""One search has one id: however its numbers are written, wherever its language models lie."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from lasasr.artifacts.search_identity import (
    identity_of,
    model_contents,
    model_name,
    normal,
    search_identity,
    search_words,
)

BEAM: dict[str, Any] = {"_target_": "lasasr.search.beam.BeamSearch", "beam": 10, "ctc_weight": 0.3}


def model(folder: Path, content: bytes) -> Path:
    """What an id needs of a language model's bundle."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(content)
    return folder


@pytest.mark.parametrize(
    "same",
    [
        {**BEAM, "beam": 10.0},
        {"ctc_weight": 0.30, "beam": 10, "_target_": BEAM["_target_"]},
        {**BEAM, "nbest": 1, "lm": None, "lm_weight": None},
        {**BEAM, "lm": None, "lm_weight": 0.0},  # as 0.1.0 resolved it
        {key: value for key, value in BEAM.items() if key != "beam"},
        {**BEAM, "subtract": {"_target_": "lasasr.search.subtraction.Subtraction", "internal_weight": 0.0}},
    ],
)
def test_spellings_of_one_search_are_one(same: dict[str, Any]) -> None:
    assert search_identity(same) == search_identity(BEAM)


@pytest.mark.parametrize(
    "other",
    [
        {**BEAM, "beam": 11},
        {**BEAM, "ctc_weight": 0.3000001},
        {**BEAM, "new_key": 1},
        {**BEAM, "_target_": "lasasr.search.greedy.GreedySearch"},
        {**BEAM, "limits": {"_target_": "lasasr.search.limits.Limits", "max_ratio": 1.9}},
    ],
)
def test_one_number_more_or_less_is_another_search(other: dict[str, Any]) -> None:
    assert search_identity(other) != search_identity(BEAM)


def test_a_language_model_is_what_it_holds_not_where_it_lies(tmp_path: Path) -> None:
    first = model(tmp_path / "a", b"weights")
    identity = search_identity({**BEAM, "lm": str(first), "lm_weight": 0.3})
    moved = tmp_path / "elsewhere" / "b"
    moved.parent.mkdir()
    first.rename(moved)
    assert search_identity({**BEAM, "lm": str(moved), "lm_weight": 0.3}) == identity
    shutil.copytree(moved, first)
    assert search_identity({**BEAM, "lm": str(first), "lm_weight": 0.3}) == identity
    (first / "model.safetensors").write_bytes(b"weighty")  # as long, and trained again
    assert search_identity({**BEAM, "lm": str(first), "lm_weight": 0.3}) != identity


def test_a_model_may_be_a_file_and_stand_deeper(tmp_path: Path) -> None:
    (tmp_path / "x.arpa").write_bytes(b"\\data\\")
    (tmp_path / "y.arpa").write_bytes(b"\\data\\")
    contents = [model_contents({"rescore": {"lm": name}}, tmp_path) for name in ("x.arpa", "y.arpa")]
    assert contents[0] == contents[1]
    assert set(contents[0]) == {"rescore.lm"}
    assert contents[0]["rescore.lm"].startswith("sha256 ")


def test_results_know_their_models_when_those_are_gone(tmp_path: Path) -> None:
    search = {**BEAM, "lm": str(model(tmp_path / "lm", b"w")), "lm_weight": 0.3}
    summary = {"search": search, "search_models": model_contents(search)}
    before = identity_of(summary)
    shutil.rmtree(tmp_path / "lm")
    assert identity_of(summary) == before
    assert identity_of({"search": search}) != before
    assert identity_of({}) is None


def test_words_are_short_and_hold_no_folder() -> None:
    assert search_words(BEAM) == "beam beam=10 ctc_weight=0.3"
    assert search_words({"_target_": "lasasr.search.greedy.GreedySearch", "keep_weights": True}) == "greedy"
    words = search_words({**BEAM, "lm": "/home/me/runs/lm/x/default-s1/bundle", "lm_weight": 0.25})
    assert "lm=default-s1 " in words
    assert "home" not in words
    assert search_words(None) == "not known"
    assert search_words({"name": "theirs"}) == "search name=theirs"
    assert model_name("https://user:secret@host/a/m.bin?token=1") == "m.bin"


def test_the_normal_form_is_its_own(tmp_path: Path) -> None:
    assert normal(normal(BEAM)) == normal(BEAM)
