"""Names of results: `test` is the run's own, `test@greedy-1a2b3c4d` that of another search, or of other data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from lasasr.artifacts.search_identity import digest, flattened, model_name, normal, search_name, shown_value
from lasasr.configuration.sections import Plain
from lasasr.errors import LasasrError

LONGEST: Final = 60  # characters of the text in a name
BETWEEN: Final = "@"  # split and text
_OTHER = re.compile(r"(?P<split>[^@]+)@(?P<text>.+)-(?P<code>[0-9a-f]{8})")


class ResultName(NamedTuple):
    """Which result of a run a file holds; text and code are empty in the run's own."""

    split: str
    text: str = ""
    code: str = ""  # eight hexadecimal digits of search and data

    def __str__(self) -> str:
        return f"{self.split}{BETWEEN}{self.label}" if self.code else self.split

    @property
    def label(self) -> str:
        """What `lasasr compare --search` takes: text and digits."""
        return f"{self.text}-{self.code}" if self.code else ""


def parse_result_name(stem: str) -> ResultName | None:
    """The name that a file's stem is; None: it is none."""
    if BETWEEN not in stem:
        return ResultName(stem)
    match = _OTHER.fullmatch(stem)
    return ResultName(**match.groupdict()) if match else None


def other_result_name(split: str, text: str, identity: str, data: str) -> ResultName:
    """The name of what another search, or other data, gave.

    Raises:
        LasasrError: the split's name holds what stands between split and text.
    """
    if BETWEEN in split:
        raise LasasrError(f"the split {split!r} has {BETWEEN} in its name, which no result can have: rename the split")
    return ResultName(split, sanitised(text) or "search", digest(identity, data))


def sanitised(text: str) -> str:
    """Letters, digits and `.,_-` only, and not too many: a part of a file's name, whatever a user typed."""
    kept = re.sub(r"[^\w.,]+", "-", text, flags=re.ASCII)
    return re.sub(r"-{2,}", "-", kept).strip("-.")[:LONGEST].rstrip("-._,")


class Difference(NamedTuple):
    """What tells one part of a configuration from another, as words of a name."""

    plain: list[str]
    paths: list[str]

    def text(self, *others: Difference) -> str:
        """All words of these and of others, paths last."""
        plain, paths = zip(self, *others, strict=True)
        return "_".join(word for words in (*plain, *paths) for word in words)


def search_difference(
    own: Mapping[str, Any], search: Mapping[str, Any], choice: str = "", base: Mapping[str, Any] | None = None
) -> Difference:
    """What differs from the run's own search: `greedy`, `beam-20`, `lm_weight-0.3_lm-lmrun`.

    Args:
        own: the run's own search.
        search: the other one.
        choice: of the config group `search`, where another was chosen.
        base: the search that the choice stands for, from which the rest differs; None: the defaults of its class.
    """
    other = bool(choice) or search.get("_target_") != own.get("_target_")
    if not other:
        return difference(own, search)
    rest = difference(base or {"_target_": search.get("_target_")}, search)
    return Difference([choice or search_name(search), *rest.plain], rest.paths)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    """`key-value` for each value of a part of the configuration that is another one; paths by their last name."""
    old, new, written = dict(flattened(normal(before))), dict(flattened(normal(after))), dict(flattened(after))
    every = [key for key in dict.fromkeys((*new, *old)) if new.get(key) != old.get(key)]
    keys = [key for key in every if not _is_only_brought_along(key, every, old, new)]
    words = Difference([], [])
    for key in keys:
        value = written.get(key)
        word = f"{_short(key, keys)}-{_value_text(value) if key in written else 'default'}"
        (words.paths if _is_path(value) else words.plain).append(word)
    return words


def _is_only_brought_along(key: str, keys: Sequence[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether it is the class of a part that stands there for another of its keys only."""
    part, _, last = key.rpartition(".")
    return (
        last == "_target_"
        and not (key in old and key in new)
        and any(other != key and other.startswith(f"{part}.") for other in keys)
    )


def data_difference(own: Plain, other: Plain) -> Difference:
    """How the data of a configuration are other ones than the run's own: by the corpus, or else by their content alone.

    Args:
        own: the run's whole configuration.
        other: another one.
    """
    own_corpus, other_corpus = ((config.get("choices") or {}).get("corpus") for config in (own, other))
    if own_corpus != other_corpus:
        return Difference([str(other_corpus)], [])
    words = difference(own.get("corpus") or {}, other.get("corpus") or {})
    return words if words.text() else Difference(["data"], [])


def _short(key: str, keys: Sequence[str]) -> str:
    """The last word of a key, or all of it where another has the same last word."""
    last = key.rpartition(".")[2]
    same_last = sum(other_key.rpartition(".")[2] == last for other_key in keys)
    return key if same_last > 1 or last in ("lm", "lm_weight", "_target_") else last


def _value_text(value: Any) -> str:
    return model_name(value) if _is_path(value) else shown_value(value)


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and ("/" in value or "\\" in value)
