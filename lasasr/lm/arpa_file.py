"""The lines of an ARPA file, read and checked one by one."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from lasasr.artifacts import files
from lasasr.errors import LasasrError, looked_up

UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"
SPECIAL: Final = (UNKNOWN, BEGIN, END)  # after all words, in this order
_UNKNOWN_IN_CAPITALS: Final = "<UNK>"
_LN10: Final = math.log(10.0)
NEVER: Final = -100.0 * _LN10  # an unknown word, where the file has no <unk>: as KenLM
_MOST_BACK_OFF: Final = 20.0  # log10 of a weight: rounded files need 7 at most, and powers of it must be finite
_QUOTED: Final = 60  # characters of a line or word that an error quotes
_ENDS: Final = "\t\r\n "  # of a line; a word may end with another sign that Python takes for a blank
_BLANKS: Final = re.compile(r"[\t ]+")
_COUNT: Final = re.compile(r"ngram\s+(\d{1,3})\s*=\s*(\d{1,15})")
_TITLE: Final = re.compile(r"\\(\d+-grams:|end\\)")


class Grams(NamedTuple):
    """What the file says of the n-grams of one length."""

    words: list[str]  # of the unigrams, in the file's order
    ids: array[int]  # n to a row: the place of each word among the unigrams
    nats: array[float]
    back_off: array[float]


def read(path: Path) -> list[Grams]:
    """The n-grams of each length, from 1 on.

    Raises:
        LasasrError: the file is missing or damaged; names it, and the line.
    """
    try:
        return list(_sections(path, _lines(path)))
    except FileNotFoundError:
        raise LasasrError(f"{path} is missing{looked_up(path)}") from None
    except (OSError, EOFError) as error:
        raise LasasrError(f"{path} cannot be read as n-grams: {' '.join(str(error).split())}") from None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Its lines with their numbers, without blanks at their ends."""
    number = 0
    try:
        for number, line in enumerate(files.lines(path), start=1):
            yield number, (line.removeprefix("\ufeff") if number == 1 else line).strip(_ENDS)
    except UnicodeDecodeError:
        raise LasasrError(
            f"{path}, line {number + 1} is not UTF-8; n-grams are read from ARPA files and from KenLM's own format"
        ) from None


def _sections(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[Grams]:
    if not any(line == "\\data\\" for _, line in lines):  # what stands before it is a comment
        raise LasasrError(f"{path} is no n-gram file: it has no line \\data\\")
    number, line, sizes = 0, "", list[int]()
    for number, line in lines:
        if counted := _COUNT.fullmatch(line):
            if int(counted[1]) != len(sizes) + 1:
                raise _unexpected(path, number, f"the number of {len(sizes) + 1}-grams", line)
            sizes.append(int(counted[2]))
        elif line:
            break
    if not sizes or line != "\\1-grams:":
        raise _unexpected(path, number, "\\1-grams: after the numbers of n-grams", line)
    places: dict[str, int] = {}
    for n, size in enumerate(sizes, start=1):
        grams = Grams([], array("q"), array("d"), array("d"))
        for number, line in lines:
            if line.startswith("\\") and _TITLE.fullmatch(line):
                break
            if line:
                _take(path, number, line, n, grams, places)
        else:
            raise LasasrError(f"{path} ends within its {n}-grams: it has no line \\end\\")
        if len(grams.nats) != size:
            raise LasasrError(f"{path} says that it has {size:,} {n}-grams, and has {len(grams.nats):,}")
        title = f"\\{n + 1}-grams:" if n < len(sizes) else "\\end\\"
        if line != title:
            raise _unexpected(path, number, title, line)
        yield grams


def _unexpected(path: Path, number: int, expected: str, line: str) -> LasasrError:
    return LasasrError(f"{path}, line {number}: expected {expected}, got {line[:_QUOTED]!r}")


def _take(path: Path, number: int, line: str, n: int, grams: Grams, places: dict[str, int]) -> None:
    """One line: log10 p, n words, perhaps the log10 of the back-off weight."""
    fields = _BLANKS.split(line)  # not all that Python takes for a blank: a word may hold a no-break space
    try:
        nats, back_off = float(fields[0]), float(fields[n + 1]) if len(fields) == n + 2 else 0.0
        if len(fields) not in (n + 1, n + 2):
            raise ValueError
    except (ValueError, IndexError):
        raise LasasrError(
            f"{path}, line {number} is no {n}-gram: {line[:_QUOTED]!r}; that is log10 p, {n} word{'s' * (n > 1)}, "
            "and perhaps the log10 of a back-off weight"
        ) from None
    if not nats <= 0.0:
        raise LasasrError(f"{path}, line {number}: log10 p must be at most 0, got {fields[0][:_QUOTED]}")
    if not back_off <= _MOST_BACK_OFF:
        raise LasasrError(
            f"{path}, line {number}: the log10 of a back-off weight must be at most {_MOST_BACK_OFF:g}, "
            f"got {fields[-1][:_QUOTED]}"
        )
    words = fields[1 : n + 1]
    if n == 1:
        names = (UNKNOWN, _UNKNOWN_IN_CAPITALS) if words[0] in (UNKNOWN, _UNKNOWN_IN_CAPITALS) else words
        if any(places.setdefault(name, len(grams.words)) != len(grams.words) for name in names):
            raise LasasrError(f"{path}, line {number}: the word {words[0][:_QUOTED]!r} is there twice")
        grams.words.append(names[0])
    else:
        try:
            grams.ids.extend([places[word] for word in words])
        except KeyError as error:
            raise LasasrError(f"{path}, line {number}: {error.args[0][:_QUOTED]!r} is none of its 1-grams") from None
    grams.nats.append(max(nats * _LN10, NEVER))
    grams.back_off.append(max(back_off * _LN10, NEVER))
