"""`lasasr ngram`, as a command: text -> ARPA, which a search reads."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from lasasr.cli.main import main
from lasasr.models.language_model import scorer
from lasasr.search.look_ahead import LookAheadScorer
from lasasr.text.character import CharacterTokenizer

PROSE = "It was a dark night. The wind\nblew; it was cold!\n\nThe wind was cold, and the night was dark.\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "night.txt").write_text(PROSE)
    with gzip.open(tmp_path / "texts" / "more.txt.gz", "wt") as file:
        file.write("a cold wind\n")
    return tmp_path


def test_text_becomes_a_file_that_a_search_reads(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "words").write_text(";;; two of them\nZEBRA  Z IY1 B R AH0\nNIGHT(2)  N AY1 T\n")
    command = ["ngram", "texts", "--layout", "prose", "--words", "words", "--out", "books.arpa", "--order", "2"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "4 sentences, 23 words: 14 1-grams" in said  # 10 words of the text, zebra, <unk>, <s> and </s>
    assert "too little text to estimate the discounts" in said
    assert said.endswith("books.arpa\n")
    tokenizer = CharacterTokenizer.train(["abcdefghijklmnopqrstuvwxyz "])
    read = scorer("books.arpa", tokenizer)
    assert isinstance(read, LookAheadScorer)
    assert read.words.words == ["a", "and", "blew", "cold", "dark", "it", "night", "the", "was", "wind", "zebra"]


def test_the_perplexity_is_that_of_text_which_is_left_out(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "texts" / "dev.txt").write_text("the wind was purple\n")
    command = ["ngram", "texts", "--layout", "prose", "--out", "a.arpa"]
    assert main([*command, "--dev", "texts/dev.txt"]) == 0
    held_out = capsys.readouterr().out
    assert "dev: 4 words, 25.00 % unknown, perplexity per word" in held_out
    assert main([*command[:-1], "b.arpa"]) == 0
    assert "purple" not in (here / "a.arpa").read_text()
    assert "purple" in (here / "b.arpa").read_text()


def test_a_file_that_is_named_twice_counts_once(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ngram", "texts", "texts/more.txt.gz", "./texts/more.txt.gz", "--out", "a.arpa"]) == 0
    assert main(["ngram", "texts", "--out", "b.arpa"]) == 0
    assert (here / "a.arpa").read_text() == (here / "b.arpa").read_text()


def test_an_order_beyond_the_text_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ngram", "texts/more.txt.gz", "--out", "a.arpa", "--order", "7"]) == 0
    said = capsys.readouterr().out
    assert "1 5-grams\n" in said  # <s> a cold wind </s>
    assert "no sentence is long enough for 6-grams" in said


def test_files_are_mixed_with_the_weights_that_fit_dev(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "sea.txt").write_text("the night at sea was cold\nit was cold\nit was dark\n")
    (here / "dev.txt").write_text("the night was dark\nit was cold\nthe wind blew\n")
    perplexities = []
    for text, out in (("texts", "night.arpa"), ("sea.txt", "sea.arpa")):
        assert main(["ngram", text, "--dev", "dev.txt", "--out", out]) == 0
        perplexities.append(float(capsys.readouterr().out.split("perplexity per word ")[1].split()[0]))
    assert main(["ngram", "night.arpa", "sea.arpa", "--mix", "--dev", "dev.txt", "--out", "both.arpa"]) == 0
    said = capsys.readouterr().out
    night, sea = (float(part.split()[1]) for part in said.split("weights: ")[1].split("\n")[0].split(", "))
    assert night + sea == pytest.approx(1.0, abs=0.002)
    assert 0.1 < night < 0.9
    assert "dev: 10 words, 0.00 % unknown" in said
    assert float(said.split("perplexity per word ")[1].split()[0]) < min(perplexities)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["texts", "--out", "a.txt"], "--out must end in .arpa, got a.txt"),
        (["texts", "--out", "a.arpa", "--order", "0"], "--order must be 1 to 20, got 0"),
        (["texts", "--out", "a.arpa", "--order", "21"], "--order must be 1 to 20, got 21"),
        (["texts", "--out", "folder.arpa"], "--out names the file that is written, but folder.arpa is a folder"),
        (["texts", "--out", "empty.txt/a.arpa"], "empty.txt/a.arpa cannot be written"),
        (["texts/night.txt", "--dev", "texts/night.txt", "--out", "a.arpa"], "so nothing remains"),
        (["marked.txt", "--transcript", "none", "--out", "a.arpa"], "marked.txt: </s> in '<s> a </s>' stands for"),
        (["latin.txt", "--out", "a.arpa"], "latin.txt cannot be read as text"),
        (["texts", "--out", "a.arpa", "--words", "latin.txt"], "latin.txt, line 1 is not UTF-8"),
        (["texts", "--out", "a.arpa", "--most-words", "0"], "--most-words must be at least 1, got 0"),
        (["texts", "--out", "a.arpa", "--transcript", "englsh"], "nearest: english"),
        (["absent", "--out", "a.arpa"], "absent is missing"),
        (["empty.txt", "--out", "a.arpa"], "empty.txt: there is no sentence with a word"),
        (["texts", "--out", "a.arpa", "--words", "absent"], "absent cannot be read as a list of words"),
        (["texts", "--out", "a.arpa", "--words", "empty.txt"], "empty.txt holds no entry"),
        (["texts", "--out", "a.arpa", "--dev", "empty.txt"], "--dev: empty.txt holds no word"),
        (
            ["x.arpa", "--mix", "--out", "a.arpa", "--dev", "texts"],
            "--mix takes two ARPA files or more, got x.arpa alone",
        ),
        (["x.arpa", "y.arpa", "--mix", "--out", "a.arpa"], "--mix needs --dev=TEXT"),
        (
            ["x.arpa", "y.arpa", "--mix", "--out", "a.arpa", "--dev", "texts", "--order", "3"],
            "--order is for estimating",
        ),
        (
            ["x.arpa", "y.arpa", "--mix", "--out", "a.arpa", "--dev", "texts", "--words", "z"],
            "--words is for estimating",
        ),
        (["texts/night.txt", "y.arpa", "--mix", "--out", "a.arpa", "--dev", "texts"], "night.txt is no n-gram file"),
        (["x.arpa", "y.arpa", "--mix", "--out", "a.arpa", "--dev", "texts"], "x.arpa is missing; looked up from"),
        (["texts", "x.arpa", "--out", "a.arpa"], "TEXT: x.arpa holds n-grams, not text; --mix makes one model"),
        (["texts", "--dev", "x.arpa.gz", "--out", "a.arpa"], "--dev: x.arpa.gz holds n-grams, not text"),
    ],
)
def test_what_is_wrong_is_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (here / "empty.txt").write_text("\n ... \n")
    (here / "marked.txt").write_text("<s> a </s>\n")
    (here / "latin.txt").write_bytes(b"caf\xe9\n")
    (here / "folder.arpa").mkdir()
    if "--words" in arguments:
        (here / "empty.txt").write_text("\n")
    assert main(["ngram", *arguments]) != 0
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (here / "a.arpa").exists()
