"""The example of docs/adding-a-corpus.md is prepared by the command, as the page says."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora_tiny import silent

from lasasr.cli.compose import load
from lasasr.errors import LasasrError
from lasasr.preparation.speech import prepare

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-corpus.md"


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The folder in which the page's two files lie, and a corpus of four utterances."""
    blocks = dict(re.findall(r"```(python|yaml)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    (tmp_path / "corpus").mkdir()
    (tmp_path / "letters.py").write_text(blocks["python"])
    (tmp_path / "corpus" / "letters.yaml").write_text(blocks["yaml"])
    for speaker in ("anna", "bela"):
        for word in ("yes", "no"):
            (tmp_path / "data" / speaker).mkdir(parents=True, exist_ok=True)
            soundfile.write(tmp_path / "data" / speaker / f"{word}.wav", np.full(1600, 0.1), 16000)
            (tmp_path / "data" / speaker / f"{word}.txt").write_text(f"{word.capitalize()}!\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LASASR_ALLOW", "letters")
    monkeypatch.setenv("LASASR_PREPARED", str(tmp_path / "prepared"))
    return tmp_path


def composed(example, *more):
    searched = f"hydra.searchpath=[file://{example}]"
    return load("synthetic/las_char", [searched, "corpus=letters", f"corpus.root={example / 'data'}", *more])


def test_the_example_is_prepared(example):
    splits = prepare(composed(example), silent)
    assert {split: set(splits.utterances(split).ids) for split in splits.manifests} == {
        "train": {"bela-no", "bela-yes"},
        "dev": {"anna-no", "anna-yes"},
    }
    assert splits.utterances("dev").texts == ("no", "yes")


def test_its_complaints_are_one_line(example):
    with pytest.raises(LasasrError, match="has no utterance for dev"):
        prepare(composed(example, "corpus.dev=[]"), silent)
    (example / "data" / "anna" / "no.txt").unlink()
    with pytest.raises(LasasrError, match=r"no\.wav has no no\.txt beside it"):
        prepare(composed(example), silent)


def test_what_the_page_links_to_is_there():
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / link).exists(), link
