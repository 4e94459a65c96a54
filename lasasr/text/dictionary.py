"""Pronunciation dictionaries in the manner of the CMU dictionary: the phones of words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lasasr.errors import LasasrError, looked_up
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
    return _pronunciations(path, _entries(path, "a dictionary"))


def listed_words(path: Path) -> list[str]:
    """The words of a list, one per line, or of a dictionary, which may be Latin-1 (cmudict-0.7b is).

    Raises:
        LasasrError: see `read`; a list that is not UTF-8 or a file without a line is refused as well.
    """
    entries = _entries(path, "a list of words")
    if entries and all(len(line.split()) == 1 for line in entries.values()):
        if odd := [number for number, line in entries.items() if _is_escaped(line)]:
            raise LasasrError(f"{path}, line {odd[0]} is not UTF-8; convert it, as with iconv -f latin1 -t utf-8")
        return [line.strip() for line in entries.values()]
    try:
        words = _pronunciations(path, entries)
    except LasasrError as error:
        raise LasasrError(f"{error}, and not every line is one word") from None
    return [_from_latin(word) if _is_escaped(word) else word for word in words]


def _entries(path: Path, meant: str) -> dict[int, str]:
    """The lines that are neither empty nor comments, by their numbers; what is not UTF-8 in them is escaped.

    Args:
        meant: what the file was named as, for the error.
    """
    try:
        lines = path.read_bytes().decode("utf-8", errors="surrogateescape").splitlines()  # some editions are Latin-1
    except OSError as error:
        where = looked_up(path) if isinstance(error, FileNotFoundError) else ""
        raise LasasrError(f"{path} cannot be read as {meant}: {error.strerror}{where}") from None
    return {number: line for number, line in enumerate(lines, 1) if line.strip() and not line.startswith(_COMMENTS)}


def _pronunciations(path: Path, entries: Mapping[int, str]) -> Dictionary:
    """See `read`."""
    pronunciations: dict[str, tuple[str, ...]] = {}
    for number, line in entries.items():
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
