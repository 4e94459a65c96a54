"""Transcript rules: what is done to a corpus's text before anything is trained on it or scored against it.

A rule is named and versioned, because an error rate means nothing without it: changing what a rule does raises
its version. Rules are idempotent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lasasr.errors import UsageError, nearest
from lasasr.text import timit

_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u00b4": "'", "`": "'"})
_NOT_OF_A_WORD = re.compile(r"[^\w']|_")
_LONE_APOSTROPHES = re.compile(r"(?<!\S)'+(?!\S)")


def _unchanged(text: str) -> str:
    return text


@dataclass(frozen=True)
class TranscriptRule:
    """Raw transcript → text that tokenizers see; and what counts as the same when errors are counted."""

    name: str
    version: int
    function: Callable[[str], str]
    scored: Callable[[str], str] = _unchanged  # reference or hypothesis → what errors are counted in
    protocol: str = ""  # how errors are counted, where that needs saying beside the error rate

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
    words = _NOT_OF_A_WORD.sub(_mark_or_space, plain)
    return _nfkc(_collapse(_LONE_APOSTROPHES.sub(" ", words)))  # lower-casing can leave a letter decomposed


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _mark_or_space(sign: re.Match[str]) -> str:
    """A combining mark as it is: it belongs to the letter before it, though `\\w` does not match it."""
    return sign[0] if unicodedata.category(sign[0]).startswith("M") else " "


def _librispeech(text: str) -> str:
    return _collapse(text.lower())


def _timit(phones: int) -> TranscriptRule:
    fold = partial(timit.folded, phones=phones)
    return TranscriptRule(f"timit{phones}", 1, fold, partial(timit.folded, phones=39), timit.PROTOCOL)


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
        # TIMIT's phones: all 61 labels, or folded to the 48 or 39 of Lee & Hon (1989)
        *(_timit(phones) for phones in (61, 48, 39)),
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


def from_name(normalizer: str) -> TranscriptRule:
    """The rule of a name in results and bundles, as "english/1".

    Raises:
        UsageError: there is none of that name.
    """
    return rule(normalizer.partition("/")[0])
