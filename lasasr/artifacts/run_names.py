"""Names of run and sweep folders: what was changed, in words that every file system and shell takes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any, Final

from lasasr.errors import UsageError

LONGEST: Final = 60  # characters of the overrides that a name keeps
LONGEST_GIVEN: Final = 100  # characters of a name that a user gives
FILES: Final = (".arpa", ".bin", ".csv", ".flac", ".gz", ".json", ".jsonl", ".model", ".tsv", ".txt", ".wav", ".yaml")
_UNNAMED: Final = ("seed", "name")  # keys that stand elsewhere in a folder's name


def folder_words(name: Any, overrides: Iterable[str], swept: Collection[str] = ()) -> str:
    """The first part of a folder's name: `name=TEXT` where it is given, else the overrides; see `shortened`.

    Raises:
        UsageError: the name is no name.
    """
    return shortened(overrides, swept) if name is None else sanitised_name(name)


def sanitised_name(name: Any) -> str:
    """What a user calls a run or sweep, as part of its folder's name.

    Raises:
        UsageError: nothing that can be seen is left of it, or it is no text, or too long.
    """
    shown = ascii(name) if isinstance(name, str) else repr(name)
    if isinstance(name, bool) or not isinstance(name, str | int | float):
        raise UsageError(f"name={shown} is no text to call a folder by")
    text = str(name)
    words = _safe(text)
    if not words or words != text:
        way = f", as name={words}" if words and text.isprintable() else ""
        raise UsageError(
            f"name={shown} cannot be part of a folder's name: take letters, digits, '.', ',', '-' and '_'{way}"
        )
    if len(words) > LONGEST_GIVEN:
        raise UsageError(f"name={shown} is longer than {LONGEST_GIVEN} characters")
    return words


def shortened(overrides: Iterable[str], swept: Collection[str] = ()) -> str:
    """Overrides as part of a folder's name: choices first, then values, paths last, each by the last word of its key.

    `corpus.train=/data/train.tsv listen.layers=2 attend=dot seed=3` → `attend-dot_layers-2_train-train.tsv` (the seed
    stands at the end of the folder's name). Of one kind they keep the order of the command line.

    Args:
        swept: overrides in which the jobs of a sweep differ: where there is no room for all, those are kept first.
    """
    named = [_split(override) for override in overrides]
    kept = [(key, value) for key, value in named if key not in _UNNAMED and not key.startswith("hydra")]
    differing = {_split(override) for override in swept}
    ordered = _ordered(kept)
    words = [_safe(f"{re.split(r'[./]', key)[-1]}-{_last_names(value)}" if value else key) for key, value in ordered]
    fitting = dict[int, str]()  # by place
    for place in sorted(range(len(words)), key=lambda place: ordered[place] not in differing):
        word = words[place] if fitting else words[place][:LONGEST]
        if sum(map(len, fitting.values())) + len(fitting) + len(word) <= LONGEST:  # else it is left out whole
            fitting[place] = word
    return "_".join(fitting[place] for place in sorted(fitting)).rstrip("-._,") or "default"


def _split(override: str) -> tuple[str, str]:
    key, _, value = override.lstrip("+~").partition("=")
    return key, value


def _ordered(named: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(named, key=lambda pair: 2 if _is_path(pair[1]) else "." in pair[0])


def _is_path(value: str) -> bool:
    return "/" in value or value.strip("'\"]").endswith(FILES)


def _last_names(value: str) -> str:
    """Paths in a value without their folders."""
    return re.sub(r"[^,\[\]{}()'\"=:]*/(?=[^,\[\]{}()'\"/])", "", value)


def _safe(text: str) -> str:
    return re.sub(r"[^\w.,]+", "-", text, flags=re.ASCII).strip("-.")
