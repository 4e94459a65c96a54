"""The lines of a text file with their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lasasr.artifacts import files
from lasasr.errors import LasasrError, looked_up


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Every line that is not blank, from 1, without its end and a byte order mark; packed where it is called .gz.

    Raises:
        LasasrError: the file is missing, no regular file, damaged, or no UTF-8.
    """
    number = 0
    try:
        for number, line in enumerate(files.lines(path), start=1):
            text = line.removeprefix("\ufeff") if number == 1 else line
            if text.strip():
                yield number, text.rstrip("\r\n")
    except FileNotFoundError:
        raise LasasrError(f"{path} is missing{looked_up(path)}") from None
    except UnicodeDecodeError as error:
        raise LasasrError(f"{path}, line {number + 1}: it is not UTF-8 ({error.reason})") from None
    except (OSError, EOFError) as error:
        raise LasasrError(f"{path} cannot be read: {error}") from None
