"""n-grams of an ARPA file against the same file read in plain Python, and against KenLM where it is installed."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from arpa import ARPA, ARPAModel, random_arpa, random_sentences, sentence

from lasasr.errors import LasasrError
from lasasr.lm.arpa import BackOffModel
from lasasr.lm.arpa_file import NEVER
from lasasr.lm.ngram import KenLM
from lasasr.models import language_model
from lasasr.text.base import Tokenizer
from lasasr.text.character import CharacterTokenizer
from lasasr.text.phone import PhoneTokenizer

TEXTS = ("", "a", "a ab", "a ab a b", "ba ab zebra a b", "zebra", "b a b a ab")


def model_of(folder: Path, text: str = ARPA) -> BackOffModel:
    path = folder / "tiny.arpa"
    path.write_text(text)
    return BackOffModel(path)


@pytest.mark.parametrize("text", TEXTS)
def test_a_sentence_scores_by_the_back_off_rule(tmp_path: Path, text: str) -> None:
    assert sentence(model_of(tmp_path), text) == pytest.approx(ARPAModel().sentence(text), abs=1e-9)


@pytest.mark.parametrize("text", TEXTS)
def test_kenlm_says_the_same(tmp_path: Path, text: str) -> None:
    kenlm = pytest.importorskip("kenlm")
    model = model_of(tmp_path)
    theirs = kenlm.Model(str(tmp_path / "tiny.arpa")).score(text) * math.log(10.0)
    assert sentence(model, text) == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize("seed", range(12))
def test_random_files_score_by_the_back_off_rule(tmp_path: Path, seed: int) -> None:
    text, words = random_arpa(seed)
    model, reference = model_of(tmp_path, text), ARPAModel(text)
    reference.table.setdefault(("<unk>",), (NEVER / math.log(10.0), 0.0))
    for said in random_sentences(seed, words):
        assert sentence(model, said) == pytest.approx(reference.sentence(said), abs=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_kenlm_says_the_same_of_random_files(tmp_path: Path, seed: int) -> None:
    kenlm = pytest.importorskip("kenlm")
    text, words = random_arpa(seed, pruned=False)
    model, path = model_of(tmp_path, text), tmp_path / "tiny.arpa"
    theirs, through_ours = kenlm.Model(str(path)), KenLM(path)
    for said in random_sentences(seed, words):
        score = theirs.score(said) * math.log(10.0)  # KenLM computes in float32
        assert sentence(model, said) == pytest.approx(score, rel=1e-6, abs=1e-5)
        assert sentence(through_ours, said) == pytest.approx(score, rel=1e-6, abs=1e-5)
    assert [model.has(word) for word in (*words, "zzz")] == [through_ours.has(word) for word in (*words, "zzz")]


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


def test_a_bundle_carries_what_is_packed(tmp_path: Path) -> None:
    (tmp_path / "tiny.arpa.gz").write_bytes(gzip.compress(ARPA.encode()))
    (tmp_path / "bundle").mkdir()
    stored = language_model.carried({"lm": str(tmp_path / "tiny.arpa.gz"), "lm_weight": 0.3}, tmp_path / "bundle")
    (tmp_path / "tiny.arpa.gz").unlink()
    read = language_model.in_bundle(stored, tmp_path / "bundle")
    assert sentence(BackOffModel(Path(read["lm"])), "a ab") == pytest.approx(ARPAModel().sentence("a ab"), abs=1e-9)


@pytest.mark.parametrize(
    "written",
    [
        ARPA.replace("\n", "\r\n"),
        "\ufeff" + ARPA.lstrip(),
        ARPA.replace("\t", " \t  ").replace("\na", "\n  a"),
        ARPA.replace("<unk>", "<UNK>"),  # as in LibriSpeech's own files; KenLM takes both, too
        "a comment\n" + ARPA + "what follows",
    ],
    ids=["crlf", "bom", "blanks", "UNK", "comments"],
)
def test_other_ways_to_write_it_say_the_same(tmp_path: Path, written: str) -> None:
    (tmp_path / "tiny.arpa").write_bytes(written.encode())
    model, plain = BackOffModel(tmp_path / "tiny.arpa"), ARPAModel()
    assert model.words == ["a", "ab", "b", "ba"]
    for text in TEXTS:
        assert sentence(model, text) == pytest.approx(plain.sentence(text), abs=1e-9)


@pytest.mark.parametrize("word", ["b\u00a0", "\u00a0", "\u2028", "b\u0301", "b\U0010ffff", "\u200bb"])
def test_only_tabs_and_spaces_part_words(tmp_path: Path, word: str) -> None:
    model = model_of(tmp_path, ARPA.replace("-1.5\tba\t0.0", f"-1.5\t{word}"))
    assert model.has(word)
    assert model.interval(word) == (model.words.index(word), model.words.index(word) + 1)
    assert model.word((), word)[0] == pytest.approx(-1.5 * math.log(10.0))


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    content = ARPA.rstrip().encode()
    for end in range(len(content)):
        (tmp_path / "tiny.arpa").write_bytes(content[:end])
        with pytest.raises(LasasrError, match=r"tiny\.arpa"):
            BackOffModel(tmp_path / "tiny.arpa")


def test_n_grams_of_no_word_and_of_one_word_alone(tmp_path: Path) -> None:
    without = "\\data\\\nngram 1={}\n\n\\1-grams:\n-1\t<unk>\n-99\t<s>\n-0.5\t</s>\n{}\\end\\\n"
    nothing = model_of(tmp_path, without.format(3, ""))
    assert (nothing.size, nothing.begin()) == (0, ())
    assert sentence(nothing, "a") == pytest.approx(-1.5 * math.log(10.0))
    assert nothing.mass((), np.array([0]), np.array([0])) == [0.0]
    unigrams = model_of(tmp_path, without.format(4, "-0.25\ta\n"))
    assert sentence(unigrams, "a zebra") == pytest.approx(-1.75 * math.log(10.0))


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
        ("-0.2\ta b\t", "0.2\ta b\t", r"line 20: log10 p must be at most 0, got 0\.2"),
        ("-0.2\ta b\t", "nan\ta b\t", "log10 p must be at most 0, got nan"),
        ("-0.2\ta b\t", "-0,2\ta b\t", "line 20 is no 2-gram: '-0,2.*that is log10 p, 2 words, and perhaps"),
        ("-0.2\ta b\t", "-0.2\ta b c d\t", "is no 2-gram"),
        ("-0.15", "inf", "line 17: the log10 of a back-off weight must be at most 20, got inf"),
        ("-0.15", "400", "a back-off weight must be at most 20, got 400"),
        ("2=5", "2=99999999999999", "says that it has 99,999,999,999,999 2-grams, and has 5"),
        ("-1.1\tb", "-1.1\t<UNK>", "line 13: the word '<UNK>' is there twice"),
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


IN_LETTERS = CharacterTokenizer.train(["abx"])


@pytest.mark.parametrize(
    ("text", "tokenizer", "example"),
    [
        (ARPA, IN_LETTERS, None),
        (ARPA.replace("ba", "bä"), IN_LETTERS, None),  # one of four
        ("\n".join(map(in_capitals, ARPA.splitlines())), IN_LETTERS, "A"),
        (ARPA, PhoneTokenizer(("a", "ab", "x")), None),
        (ARPA, PhoneTokenizer(("b", "aa")), "a"),  # letters of phones spell no others
    ],
)
def test_words_that_tokens_cannot_spell_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, tokenizer: Tokenizer, example: str | None
) -> None:
    (tmp_path / "tiny.arpa").write_text(text)
    language_model.scorer(str(tmp_path / "tiny.arpa"), tokenizer)
    if example is None:
        assert not caplog.messages
    else:
        assert f"cannot be spelt with the recognizer's tokens, such as '{example}'" in caplog.text


def test_the_line_that_is_no_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "tiny.arpa").write_bytes(ARPA.replace("ba", "b\xe9").encode("latin-1"))
    with pytest.raises(LasasrError, match=r"tiny\.arpa, line 14 is not UTF-8"):
        BackOffModel(tmp_path / "tiny.arpa")
