"""References with characters (or phones) that the recognizer cannot write: scored as they are, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from lasasr.text.base import Tokenizer

MOST: Final = 50  # symbols that are listed


def outside_vocabulary(tokenizer: Tokenizer, references: Iterable[str]) -> dict[str, Any]:
    """What of the references is outside the vocabulary, as results/<split>.json has it.

    Returns:
        `utterances` with some, `symbols` in all, and `most_frequent`: symbol → count, the most frequent first.
    """
    counts: Counter[str] = Counter()
    utterances = 0
    for text in references:
        outside = tokenizer.outside(text)
        utterances += bool(outside)
        counts.update(outside)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {"utterances": utterances, "symbols": counts.total(), "most_frequent": dict(ordered[:MOST])}
