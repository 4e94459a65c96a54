"""Pronunciation dictionaries in the manner of the CMU dictionary: the phones of words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lasasr.errors import LasasrError
from lasasr.text import cmu

Dictionary = Mapping[str, tuple[str, ...]]  # word in lower case → phones
_ENTRY = re.compile(r"(?P<word>\S+?)(?:\(\d+\)|\s+\d+)?\s+(?P<phones>[A-Z]+[012]?(?:\s+[A-Z]+[012]?)*)\s*(?:#.*)?")
_COMMENTS = (";;;", "##")


def read(path: Path) -> Dictionary:
    """The first pronunciation of every word, as phones without stress.

    Lines are `WORD PH PH ...`; a second pronunciation is `WORD(2) ...`, or `WORD 2 PH PH ...` with a first `WORD 1`.

    Raises:
        LasasrError: the file is missing, no text, holds no entry, or a line is none; the message names the line.
    """
    try:
        lines = path.read_bytes().decode("utf-8", errors="surrogateescape").splitlines()  # some editions are Latin-1
    except OSError as error:
        raise LasasrError(f"{path} cannot be read as a dictionary: {error.strerror}") from None
    pronunciations: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(_COMMENTS):
            continue
        entry = _ENTRY.fullmatch(line)
        try:
            if entry is None:
                raise LasasrError("is not WORD and its phones")
            phones = tuple(cmu.plain(phone) for phone in entry["phones"].split())
            pronunciations.setdefault(entry["word"].lower(), phones)
        except LasasrError as error:
            raise LasasrError(f"{path}, line {number} ({line[:40]!a}): {error}") from None
    if not pronunciations:
        raise LasasrError(f"{path} holds no entry")
    return pronunciations


def listed_words(path: Path) -> list[str]:
    """The words of a list, one per line, or of a dictionary, which may be Latin-1 (cmudict-0.7b is).

    Raises:
        LasasrError: see `read`; a list that is not UTF-8 or a file without a line is refused as well.
    """
    try:
        lines = path.read_bytes().decode("utf-8", errors="surrogateescape").splitlines()
    except OSError as error:
        raise LasasrError(f"{path} cannot be read as a list of words: {error.strerror}") from None
    entries = {
        number: line.split() for number, line in enumerate(lines, 1) if line.strip() and not line.startswith(_COMMENTS)
    }
    if entries and all(len(fields) == 1 for fields in entries.values()):
        if odd := [number for number, (word,) in entries.items() if _is_escaped(word)]:
            raise LasasrError(f"{path}, line {odd[0]} is not UTF-8; convert it, as with iconv -f latin1 -t utf-8")
        return [word for (word,) in entries.values()]
    try:
        words = list(read(path))
    except LasasrError as error:
        raise LasasrError(f"{error}, and not every line is one word") from None
    return [_from_latin(word) if _is_escaped(word) else word for word in words]


def _is_escaped(word: str) -> bool:
    """Whether it was not UTF-8."""
    return any("\ud800" <= character <= "\udfff" for character in word)


def _from_latin(word: str) -> str:
    return word.encode("utf-8", errors="surrogateescape").decode("latin-1").lower()


def spoken(words: Iterable[str], dictionary: Dictionary) -> Iterator[str]:
    """The phones of the longest stretches of words that the dictionary has, one sequence per stretch."""
    phones: list[str] = []
    for word in words:
        if word in dictionary:
            phones.extend(dictionary[word])
        elif phones:
            yield " ".join(phones)
            phones = []
    if phones:
        yield " ".join(phones)
