"""KenLM against the same ARPA file read in plain Python; where KenLM is not installed, what is said."""

from __future__ import annotations

import base64
import gzip
import importlib.util
import math
import sys
from pathlib import Path

import pytest
from arpa import ARPA, ARPAModel, sentence

from lasasr.errors import LasasrError
from lasasr.lm.ngram import KenLM
from lasasr.models.language_model import scorer
from lasasr.search.lm_scorer import NGramScorer
from lasasr.text.character import CharacterTokenizer

# ARPA of tests/arpa.py as KenLM's `build_binary probing` and `trie` write it, gzip, base64
BINARIES = {
    "probing": (
        "H4sIAAAAAAACA8vNTSxQyMlVyCgpKbDS18/OSE1My0zNSdFLzs/VT85PSVVIyy/KTSxRKEstKs7Mz1Mw5WJAgAZ7ILGfEUj8BwKQ"
        "CCNUhhlMHrBHFmOH0qxQmokBFbAz4AZcOd8/1hY/yGbCo0YwO/vyJXFxdpDd5lpak2r/dL8C2XW/irX7n7boQTYgu6BOca9lWynY"
        "TT8uBv/b1LoviQXInjVz5n6QhxgYjh06e+bMvrS0NJDbG2bNlLQHyu07e8bHHoiBdA+QPrMX6Deoegjg+MSU0bLRWBjIBKnb2/q+"
        "bi2HSHgfSA9Q2b6lYRVVpsY3lwPNRdGHC2i2mV/Yc6hZwdjYGOyOxqK3H2qra1pBbgG6aZ/al3a+P7YT8yBuQYDAK1MVUuKVi0B+"
        "sCnNy7ZjsCkGYn0gkciQmMQAhIkMAF43Hl31AQAA"
    ),
    "trie": (
        "H4sIAAAAAAACA8vNTSxQyMlVyCgpKbDS18/OSE1My0zNSdFLzs/VT85PSVVIyy/KTSxRKEstKs7Mz1Mw5WJAgAZ7ILGfEUj8BwKQ"
        "CCNUhhlMHrBngoqBMDtUjhVKMyGZxAalC+oU91q2lTIIZmdfviQuzv7jYvC/Ta37krhyvn+sLX6Qfb+KtfuftuhBcy2tSbV/ul/B"
        "9M+aOXM/yEEIE48dOnvmzD6EvOR+oBo4/+wZn/1AvA/mhrS0NLB+Zrj+A2A+C1x9D1D9mb0sDKiAlQE7uHjmzJfMtLQfScbGm+WB"
        "fAWgRT9MjY2/bpo5cyZIICErLe0TMFR+wcIT7nSgtncrZ868yY5snk1pXrYdg02xHUMiQ2ISg40+kJWUyJDEAADqchKvwQEAAA=="
    ),
}
TEXTS = ("", "a", "a ab", "a ab a b", "ba ab zebra a b", "zebra", "b a b a ab")


@pytest.fixture
def arpa(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.arpa"
    path.write_text(ARPA)
    return path


def binary(kind: str) -> bytes:
    return gzip.decompress(base64.b64decode(BINARIES[kind]))


@pytest.mark.skipif(sys.byteorder != "little" or sys.maxsize < 2**32, reason="the binaries are of another machine")
@pytest.mark.parametrize("kind", BINARIES)
def test_a_binary_file_says_what_its_arpa_file_says(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("kenlm")
    (tmp_path / "tiny.bin").write_bytes(binary(kind))
    model = KenLM(tmp_path / "tiny.bin")
    for text in TEXTS:
        assert sentence(model, text) == pytest.approx(ARPAModel().sentence(text), abs=1e-5)


@pytest.mark.parametrize("damage", ["half", "head", "nothing", "noise", "bytes"])
def test_a_damaged_binary_file_is_named(tmp_path: Path, damage: str) -> None:
    whole = binary("probing")
    content = {
        "half": whole[: len(whole) // 2],
        "head": whole[:60],
        "nothing": b"",
        "noise": bytes(500),
        "bytes": whole[:30] + b"\xff" * 40 + whole[70:],
    }[damage]
    (tmp_path / "damaged.bin").write_bytes(content)
    with pytest.raises(LasasrError, match=r"damaged\.bin") as caught:
        KenLM(tmp_path / "damaged.bin")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", TEXTS)
def test_kenlm_agrees_with_the_back_off_rule_and_with_its_own_sentence_score(arpa: Path, text: str) -> None:
    kenlm = pytest.importorskip("kenlm")
    total = sentence(KenLM(arpa), text)
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


def test_a_binary_file_is_read_with_a_warning_that_it_cannot_look_ahead(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("kenlm")
    (tmp_path / "tiny.bin").write_bytes(binary("trie"))
    read = scorer(str(tmp_path / "tiny.bin"), CharacterTokenizer.train(["ab "]))
    assert type(read) is NGramScorer
    assert "tiny.bin is in KenLM's own format" in caplog.text
