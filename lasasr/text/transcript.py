"""Transcript rules: what is done to a corpus's text before anything is trained on it or scored against it.

A rule is named and versioned, because an error rate means nothing without it: changing what a rule does raises
its version. Rules are idempotent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from lasasr.errors import UsageError, nearest

_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u00b4": "'", "`": "'"})
_NOT_OF_A_WORD = re.compile(r"[^\w']|_")
_LONE_APOSTROPHES = re.compile(r"(?<!\S)'+(?!\S)")


@dataclass(frozen=True)
class TranscriptRule:
    """Raw transcript → text that tokenizers and error rates see."""

    name: str
    version: int
    function: Callable[[str], str]

    def __call__(self, text: str) -> str:
        """`text` after the rule."""
        return self.function(text)

    def __str__(self) -> str:
        """The rule as results name it: "english/1"."""
        return f"{self.name}/{self.version}"


def _collapse(text: str) -> str:
    return " ".join(text.split())


def _english(text: str) -> str:
    # NFKC would take the acute accent U+00B4 apart, and makes U+02BC out of others: so apostrophes before and after it
    plain = _nfkc(text.translate(_APOSTROPHES)).translate(_APOSTROPHES).lower()
    words = "".join(sign if _is_mark(sign) else _NOT_OF_A_WORD.sub(" ", sign) for sign in plain)
    return _nfkc(_collapse(_LONE_APOSTROPHES.sub(" ", words)))  # lower-casing can leave a letter decomposed


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _is_mark(sign: str) -> bool:
    """Whether `sign` is a combining mark: it belongs to the letter before it, though `\\w` does not match it."""
    return unicodedata.category(sign).startswith("M")


def _librispeech(text: str) -> str:
    return _collapse(text.lower())


def _unchanged(text: str) -> str:
    return text


_RULES = {
    rule.name: rule
    for rule in (
        # lower-case words of letters, digits and apostrophes; any other sign separates words
        TranscriptRule("english", 1, _english),
        # LibriSpeech is A-Z, apostrophe and space already: lower-case and single spaces are all it needs
        TranscriptRule("librispeech", 1, _librispeech),
        # a phone sequence, separated by single spaces
        TranscriptRule("phones", 1, _collapse),
        TranscriptRule("none", 1, _unchanged),
    )
}


def rule(name: str) -> TranscriptRule:
    """The transcript rule called `name`.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in _RULES:
        raise UsageError(f"unknown transcript rule {name!r}; {nearest(name, _RULES)}")
    return _RULES[name]
