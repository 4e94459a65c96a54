"""What a table may call its utterances and its columns."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from lasasr.errors import LasasrError
from lasasr.escaping import acting, described

# what other toolkits call a column
_OTHERS: Final[Mapping[str, str]] = {
    "begin": "start_s",
    "offset": "start_s",
    "stop": "end_s",
    "spk": "speaker",
    "spk_id": "speaker",
    "client_id": "speaker",
}


def check_id(where: str, name: str) -> None:
    """Refuse an id that would act on what shows it.

    Args:
        where: begins the error line.
        name: the id.

    Raises:
        LasasrError: it holds a control character, or one that turns text round.
    """
    if character := acting(name):
        raise LasasrError(f"{where}id {name!a} holds {described(character)}; take it out of the id")


def plain_text(where: str, column: str, value: Any) -> str:
    """A value of a table as text: text as it is, a whole number in digits.

    Raises:
        LasasrError: it is something else (true, NaN, a list), or no text that UTF-8 can write.
    """
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise LasasrError(f"{where}{column} is {_shown(value)}, not text; write it in quotes, or remove the line")
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"U+{ord(text[error.start]):04X}, half a character"
        raise LasasrError(f"{where}{column} {text!a} holds {half}; repair it") from None
    return text


def _shown(value: Any) -> str:
    plain = {True: "true", False: "false", None: "null"}
    return plain[value] if isinstance(value, bool | None) else f"{value!a}"[:80]


def refuse_repeated(where: str, columns: Iterable[str]) -> None:
    """Refuse a column that stands twice: one of the two would be lost.

    Raises:
        LasasrError: one does.
    """
    seen: set[str] = set()
    for column in filter(None, columns):
        if column in seen:
            raise LasasrError(f"{where}column {column!a} stands twice; remove or rename one")
        seen.add(column)


def unread_line(unread: Collection[str], absent: Collection[str], meant_only: bool = False) -> str:
    """Which columns are not read, each with the name that may be meant; "" where all are.

    Args:
        unread: names of columns that mean nothing to us.
        absent: names that would mean something, and are not there.
        meant_only: name those alone that may be meant.
    """
    meant = {name: near for name in unread if (near := _meant(name, absent))}
    names = [*meant, *(name for name in unread if name not in meant and not meant_only)]
    if not names:
        return ""
    question = f": did you mean {', '.join(dict.fromkeys(meant.values()))}?" if meant else ""
    noun, verb = ("column", "is") if len(names) == 1 else ("columns", "are")
    return f"{noun} {', '.join(names)} {verb} not read{question}"


def _meant(name: str, absent: Collection[str]) -> str:
    plain = name.strip().casefold()
    other = _OTHERS.get(plain, "")
    close = difflib.get_close_matches(plain, absent, n=1)
    return other if other in absent else close[0] if close else ""
