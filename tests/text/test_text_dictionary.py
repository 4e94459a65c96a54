"""Pronunciation dictionaries: the editions there are, and what is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from lasasr.errors import LasasrError
from lasasr.text.dictionary import listed_words, read, spoken

EDITIONS = {
    "0.7b": ";;; a comment\nHELLO  HH AH0 L OW1\nHELLO(1)  HH EH0 L OW1\nWON'T  W OW1 N T\n",
    "newer": "hello HH AH0 L OW1\nhello(2) HH EH0 L OW1\nwon't W OW1 N T # a note\n",
    "numbered": "HELLO 1 HH AH0 L OW1\nHELLO 2 HH EH0 L OW1\nWON'T 1 W OW1 N T\n",
    "without stress": "HELLO HH AH L OW\nWON'T W OW N T",
}


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_edition_reads_alike(edition: str, tmp_path: Path) -> None:
    path = tmp_path / "dictionary"
    path.write_text(EDITIONS[edition])
    assert read(path) == {"hello": ("HH", "AH", "L", "OW"), "won't": ("W", "OW", "N", "T")}


@pytest.mark.parametrize("coding", ["latin-1", "utf-8"])
def test_words_of_a_dictionary_are_the_same_in_both_codings(coding: str, tmp_path: Path) -> None:
    (tmp_path / "dictionary").write_bytes("DÉJÀ  D EY2 ZH AA1\nVU  V UW1\n".encode(coding))
    assert listed_words(tmp_path / "dictionary") == ["déjà", "vu"]


def test_words_of_a_list(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("zebra\n\nCafé\n")
    assert listed_words(path) == ["zebra", "Café"]
    path.write_bytes("zebra\ncafé\n".encode("latin-1"))
    with pytest.raises(LasasrError, match="list, line 2 is not UTF-8; convert it"):
        listed_words(path)
    path.write_text("zebra\nNew York\n")
    with pytest.raises(LasasrError, match=r"line 1 .'zebra'.: is not WORD and its phones, and not every line is one"):
        listed_words(path)


def test_sentences_are_cut_at_words_it_lacks() -> None:
    words = {"a": ("AH",), "cat": ("K", "AE", "T")}
    assert list(spoken(["a", "cat", "saw", "a", "cat"], words)) == ["AH K AE T", "AH K AE T"]
    assert list(spoken(["saw", "a"], words)) == ["AH"]
    assert list(spoken(["saw"], words)) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no entry"),
        ("HELLO HH AH0 L OW1\nCAT K AX T\n", "line 2 .*AX"),
        ("HELLO\n", "line 1 .*WORD and its phones"),
    ],
)
def test_what_is_no_dictionary_is_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "dictionary"
    path.write_text(content)
    with pytest.raises(LasasrError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)
    with pytest.raises(LasasrError, match="cannot be read"):
        read(tmp_path / "missing")
