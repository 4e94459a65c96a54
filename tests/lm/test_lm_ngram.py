"""KenLM against the same ARPA file read in plain Python; where KenLM is not installed, what is said."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import pytest
from arpa import ARPA, ARPAModel

from lasasr.errors import LasasrError
from lasasr.lm.ngram import KenLM

TEXTS = ("", "a", "a ab", "a ab a b", "ba ab zebra a b", "zebra", "b a b a ab")


@pytest.fixture
def arpa(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.arpa"
    path.write_text(ARPA)
    return path


@pytest.mark.parametrize("text", TEXTS)
def test_kenlm_agrees_with_the_back_off_rule_and_with_its_own_sentence_score(arpa: Path, text: str) -> None:
    kenlm = pytest.importorskip("kenlm")
    model = KenLM(arpa)
    total, context = 0.0, model.begin()
    for word in text.split():
        score, context = model.word(context, word)
        total += score
    total += model.end(context)
    assert total == pytest.approx(ARPAModel().sentence(text), abs=1e-5)
    assert total == pytest.approx(kenlm.Model(str(arpa)).score(text) * math.log(10.0), abs=1e-5)


def in_capitals(word: str) -> str:
    return word if word.startswith("<") else word.upper()


def test_a_file_in_capitals_is_asked_in_capitals(tmp_path: Path) -> None:
    pytest.importorskip("kenlm")
    path = tmp_path / "capitals.arpa"
    rows = (line.split("\t") for line in ARPA.replace("ba", "the").splitlines())
    capitals = ([row[0], " ".join(map(in_capitals, row[1].split())), *row[2:]] if row[1:] else row for row in rows)
    path.write_text("\n".join(map("\t".join, capitals)) + "\n")
    model = KenLM(path)
    assert model.word(model.begin(), "the")[0] == pytest.approx((-1.5 - 0.4) * math.log(10.0), abs=1e-5)


def test_what_is_no_ngram_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "notes.arpa"
    path.write_text("nothing of the kind\n")
    with pytest.raises(LasasrError, match=r"notes\.arpa"):
        KenLM(path)


@pytest.mark.skipif(importlib.util.find_spec("kenlm") is not None, reason="KenLM is installed")
def test_without_kenlm_the_way_out_is_named(arpa: Path) -> None:
    with pytest.raises(LasasrError, match=r"lasasr\[kenlm\]"):
        KenLM(arpa)
