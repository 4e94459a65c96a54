"""Whatever utterances are called, each has a file of its own, on every file system."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasasr.artifacts.utterance_files import file_words, plot_name


@given(st.lists(st.text(min_size=1, max_size=300)))
def test_each_has_a_name_of_its_own_that_every_file_system_takes(ids: list[str]) -> None:
    words = file_words(ids)
    assert set(words) == set(ids)
    folded = {unicodedata.normalize("NFD", name.casefold()) for name in words.values()}
    assert len(folded) == len(words)
    for name in words.values():
        assert not set(name) & set('/\\:*?"<>|\x00\n')
        assert len(plot_name("test", name).encode()) < 200


@pytest.mark.parametrize("name", ["LJ001-0001", "61-70968-0000", "fcjf0_sa1", "größe", "語"])
def test_usual_ids_stay_as_they_are(name: str) -> None:
    assert file_words([name, "other"])[name] == name


@pytest.mark.parametrize(
    ("first", "second"), [("a/b", "a_b"), ("a b", "a\u00a0b"), ("A", "a"), ("é", "e\u0301"), ("x" * 300, "x" * 301)]
)
def test_ids_that_once_shared_a_file_do_not(first: str, second: str, tmp_path: Path) -> None:
    words = file_words([first, second])
    for name in words.values():
        (tmp_path / plot_name("test", name)).write_text("")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_name_does_not_depend_on_the_others_but_for_those_alike() -> None:
    assert file_words(["a/b"])["a/b"] == file_words(["a/b", "c", "d"])["a/b"]
