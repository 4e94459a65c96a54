"""Running text into sentences as long as utterances."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# after . ! or ?, perhaps within quotes or brackets, and before what begins a sentence
_END = re.compile(r"""(?<=[.!?])(?:["'”’)\]_]*)\s+(?=["'“‘(\[_]*[A-Z0-9])""")
# a full stop after one of these, or after a single capital, ends no sentence
_ABBREVIATED = re.compile(r"(?:^|[\s(\"'“‘])(?:Mr|Mrs|Messrs|Ms|Dr|St|Rev|Col|Capt|Gen|Lieut|Prof|Esq|[A-Z])\.$")

# abbreviations that are read in full, as LibriSpeech transcribes them
_SAID = {"Mr.": "mister", "Mrs.": "missus", "Messrs.": "messieurs", "Dr.": "doctor", "St.": "saint"}
_SHORT = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, _SAID))})(?=\s)")


def paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """The paragraphs of a text, which blank lines separate, each as one line."""
    gathered: list[str] = []
    for line in lines:
        if line.strip():
            gathered.append(line.strip())
        elif gathered:
            yield " ".join(gathered)
            gathered = []
    if gathered:
        yield " ".join(gathered)


def split_sentences(paragraph: str, most_words: int) -> Iterator[str]:
    """The sentences of a paragraph, "Mr." as "mister"; those of more than `most_words` words in about equal pieces."""
    begun = ""
    for part in _END.split(paragraph):
        begun = f"{begun} {part}".strip()
        if not _ABBREVIATED.search(begun):
            yield from _pieces(begun, most_words)
            begun = ""
    yield from _pieces(begun, most_words)


def _pieces(sentence: str, most_words: int) -> Iterator[str]:
    words = _SHORT.sub(lambda match: _SAID[match[0]], sentence).split()
    count = -(-len(words) // most_words)
    for i in range(count):
        yield " ".join(words[i * len(words) // count : (i + 1) * len(words) // count])
