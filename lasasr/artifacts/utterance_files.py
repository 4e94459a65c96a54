"""Names of files that belong to utterances, whatever these are called."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Final

LONGEST: Final = 100  # bytes of an id that is used as it is: a name may have 255, with a split before it
_PLAIN: Final = re.compile(r"[\w.,+=-]+")


def file_words(utterances: Iterable[str]) -> dict[str, str]:
    """Id → a part of a file's name, another one for each, also where file systems do not tell "a" from "A".

    An id is used as it is where it is short, of letters, digits and `_.,+=-`, and not another one's but for case or
    Unicode form; else what it has of these, and a digest.
    """
    ids = list(dict.fromkeys(utterances))
    alike = Counter(map(_folded, ids))
    return {one: one if _is_plain(one) and alike[_folded(one)] == 1 else _with_digest(one) for one in ids}


def plot_name(split: str, words: str) -> str:
    """The file of an utterance's attention map, from its `file_words`."""
    return f"attention-{split}-{words}.png"


def earlier_plot_name(split: str, utterance: str) -> str:
    """What lasasr 0.1.0 called it."""
    return f"attention-{split}-{utterance.replace('/', '_')}.png"


def _is_plain(utterance: str) -> bool:
    return _PLAIN.fullmatch(utterance) is not None and len(utterance.encode()) <= LONGEST


def _with_digest(utterance: str) -> str:
    content = utterance.encode("utf-8", "surrogatepass")
    words = re.sub(r"[^\w.,+=-]+", "_", utterance, flags=re.ASCII).strip("_.")[: LONGEST // 2]
    return f"{words}-{hashlib.sha256(content).hexdigest()[:12]}".lstrip("-")


def _folded(utterance: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", utterance).casefold())
