"""n-grams of an ARPA file against the same file read in plain Python, and against KenLM where it is installed."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from arpa import ARPA, ARPAModel

from lasasr.errors import LasasrError
from lasasr.lm.arpa import BackOffModel

TEXTS = ("", "a", "a ab", "a ab a b", "ba ab zebra a b", "zebra", "b a b a ab")


def model_of(folder: Path, text: str = ARPA) -> BackOffModel:
    path = folder / "tiny.arpa"
    path.write_text(text)
    return BackOffModel(path)


def sentence(model: BackOffModel, text: str) -> float:
    total, context = 0.0, model.begin()
    for word in text.split():
        score, context = model.word(context, word)
        total += score
    return total + model.end(context)


@pytest.mark.parametrize("text", TEXTS)
def test_a_sentence_scores_by_the_back_off_rule(tmp_path: Path, text: str) -> None:
    assert sentence(model_of(tmp_path), text) == pytest.approx(ARPAModel().sentence(text), abs=1e-9)


@pytest.mark.parametrize("text", TEXTS)
def test_kenlm_says_the_same(tmp_path: Path, text: str) -> None:
    kenlm = pytest.importorskip("kenlm")
    model = model_of(tmp_path)
    theirs = kenlm.Model(str(tmp_path / "tiny.arpa")).score(text) * math.log(10.0)
    assert sentence(model, text) == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize("before", ["", "a", "ab", "zebra", "a ab", "b a", "ab b"])
def test_the_words_with_a_common_beginning_have_the_sum_of_their_probabilities(tmp_path: Path, before: str) -> None:
    model, words, reference = model_of(tmp_path), ("a", "ab", "b", "ba"), ARPAModel()
    context, its_context = model.begin(), reference.begin()
    for word in before.split():
        context, its_context = model.word(context, word)[1], reference.word(its_context, word)[1]
    beginnings = ("", "a", "ab", "b", "ba", "bab", "z")
    first, last = np.array([model.interval(beginning) for beginning in beginnings]).T
    expected = [
        sum(math.exp(reference.word(its_context, word)[0]) for word in words if word.startswith(beginning))
        for beginning in beginnings
    ]
    np.testing.assert_allclose(model.mass(context, first, last), expected, atol=1e-12)


def test_contexts_that_tell_nothing_more_are_the_same(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    assert model.word((), "ba")[1] == model.word(model.begin(), "ba")[1] == ()  # its back-off weight is 0, no bigram
    assert len(model.word(model.begin(), "a")[1]) == 2


def test_an_unknown_word_has_the_probability_of_unk_or_almost_none(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    assert not model.has("zebra")
    assert not model.has("<s>")
    assert model.has("ba")
    assert model.unknown(()) == pytest.approx(-1.2 * math.log(10.0))
    without = model_of(tmp_path, ARPA.replace("-1.2\t<unk>\n", "").replace("1=7", "1=6"))
    assert without.unknown(()) == pytest.approx(-100 * math.log(10.0))


def in_capitals(line: str) -> str:
    score, tab, rest = line.partition("\t")
    words, *back_off = rest.split("\t")
    words = " ".join(word if word.startswith("<") else word.upper() for word in words.split())
    return "\t".join((score, words, *back_off)) if tab else line


def test_a_file_in_capitals_is_read_in_lower_case(tmp_path: Path) -> None:
    text = "\n".join(map(in_capitals, ARPA.replace("ba", "the").splitlines()))
    assert "THE" in text
    model = model_of(tmp_path, text)
    assert model.words == ["a", "ab", "b", "the"]
    assert model.word(model.begin(), "the")[0] == pytest.approx((-1.5 - 0.4) * math.log(10.0))
    with pytest.raises(LasasrError, match="the same in lower case"):
        model_of(tmp_path, text.replace("-1.1\tB", "-1.1\ta").replace("A B", "A a").replace("B A", "a A"))


def test_what_is_packed_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "tiny.arpa.gz").write_bytes(gzip.compress(ARPA.encode()))
    assert sentence(BackOffModel(tmp_path / "tiny.arpa.gz"), "a ab") == sentence(model_of(tmp_path), "a ab")


def test_a_bigram_whose_last_word_no_unigram_backs_keeps_the_sums(tmp_path: Path) -> None:
    """Pruned files may lack the end of a trigram among their bigrams."""
    pruned = ARPA.replace("-0.5\ta ab\t-0.05\n", "").replace("2=5", "2=4")
    pruned = pruned.replace("-0.4\ta ab </s>\n", "").replace("3=2", "3=1").replace("-0.1\t<s> a ab", "-0.1\t<s> a b")
    pruned = pruned.replace("-0.2\ta b\t-0.25\n", "-0.5\ta ab\t-0.05\n")
    model, reference = model_of(tmp_path, pruned), ARPAModel(pruned)
    context = model.word(model.begin(), "a")[1]
    place = reference.word(reference.begin(), "a")[1]
    expected = sum(math.exp(reference.word(place, word)[0]) for word in ("b", "ba"))
    first, last = model.interval("b")
    assert model.mass(context, np.array([first]), np.array([last]))[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\\data\\", "data", r"no line \\data\\"),
        ("ngram 2=5", "ngram 3=5", "expected the number of 2-grams"),
        ("2=5", "2=6", "says that it has 6 2-grams, and has 5"),
        ("\\2-grams:", "\\3-grams:", "expected .2-grams:"),
        ("-0.2\ta b\t", "-0.2\ta zebra\t", "'zebra' is none of its 1-grams"),
        ("-0.2\ta b\t", "0.2\ta b\t", "is no 2-gram: '0.2"),
        ("-0.2\ta b\t", "nan\ta b\t", "is no 2-gram"),
        ("-0.2\ta b\t", "-0.2\ta b c d\t", "is no 2-gram"),
        ("-0.15", "inf", "is no 2-gram"),
        ("-0.9\tb a", "-0.9\ta b", "the 2-gram 'a b' is there twice"),
        ("-1.5\tba", "-1.5\ta", "the word 'a' is there twice"),
        ("<s> a ab", "b b ab", "'b b ab' is there, but its first 2 words are not"),
        ("</s>", "<end>", "lack </s>"),
        ("\\end\\", "", "no line .end"),
    ],
)
def test_damage_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in ARPA
    with pytest.raises(LasasrError, match=message) as caught:
        model_of(tmp_path, ARPA.replace(old, new))
    assert "tiny.arpa" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", bytes(500), gzip.compress(ARPA.encode())[:40]])
def test_what_is_no_text_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tiny.arpa.gz").write_bytes(content)
    (tmp_path / "tiny.arpa").write_bytes(content)
    for name in ("tiny.arpa", "tiny.arpa.gz"):
        with pytest.raises(LasasrError, match=name):
            BackOffModel(tmp_path / name)
