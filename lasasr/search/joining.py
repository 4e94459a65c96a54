"""Long audio's text from that of its pieces, no word of an overlap lost or twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from lasasr.search.hypothesis import KINDS, Hypothesis, Kind, Piece, Word

NEAR_S = 0.5  # two readings of one word are no further apart


@dataclass(frozen=True)
class Part:
    """A piece of long audio as it was recognized, its words in its own time."""

    begin_s: float  # in the whole
    duration_s: float
    overlaps: bool  # it begins before the end of the part before it
    hypothesis: Hypothesis

    @property
    def end_s(self) -> float:
        """In the whole."""
        return self.begin_s + self.duration_s

    def words(self, kind: Kind | None = None) -> list[Word]:
        """Its words in the time of the whole, by `kind` or the best there is; where there is none, evenly spread."""
        timed = self.hypothesis.timed[kind] if kind else self.hypothesis.words
        if not timed and (texts := self.hypothesis.text.split()):
            word_s = self.duration_s / len(texts)
            timed = tuple(Word(text, i * word_s, (i + 1) * word_s) for i, text in enumerate(texts))
        begin_s = self.begin_s
        return [
            replace(word, start_s=round(begin_s + word.start_s, 3), end_s=round(begin_s + word.end_s, 3))
            for word in timed
        ]


def joined(parts: Sequence[Part]) -> Hypothesis:
    """One hypothesis of all parts, in order: texts put together, scores added, word times in the time of the whole.

    Where two parts overlap, the words on one side of a seam come from the first and those on the other from the
    second (`seam`). Attention weights are left out.
    """
    kept = _kept(parts)
    texts = [" ".join(part.hypothesis.text.split()[span]) for part, span in zip(parts, kept, strict=True)]
    scores: defaultdict[str, float] = defaultdict(float)
    for part in parts:
        for name, score in part.hypothesis.scores.items():
            scores[name] += score
    flags = [flag for part in parts for flag in part.hypothesis.flags if flag != "empty"]
    spoken = [(part, span) for part, span in zip(parts, kept, strict=True) if part.hypothesis.text.split()]
    kinds = [kind for kind in KINDS if spoken and all(kind in part.hypothesis.timed for part, _ in spoken)]
    return Hypothesis(
        tokens=tuple(token for part in parts for token in part.hypothesis.tokens),
        score=sum(part.hypothesis.score for part in parts),
        scores=dict(scores),
        flags=tuple(dict.fromkeys(flags)) if any(texts) else ("empty",),
        text=" ".join(text for text in texts if text),
        timed={kind: tuple(word for part, span in spoken for word in part.words(kind)[span]) for kind in kinds},
        pieces=tuple(
            Piece(round(part.begin_s, 3), round(part.end_s, 3), part.overlaps, text)
            for part, text in zip(parts, texts, strict=True)
        ),
    )


def _kept(parts: Sequence[Part]) -> list[slice]:
    """Which words of each part count."""
    words = [part.words() for part in parts]
    firsts, lasts = [0] * len(parts), [len(part_words) for part_words in words]
    for i, (left, right) in enumerate(pairwise(parts)):
        if right.overlaps:
            lasts[i], firsts[i + 1] = seam(words[i], words[i + 1], (right.begin_s + left.end_s) / 2.0)
    return [slice(first, max(first, last)) for first, last in zip(firsts, lasts, strict=True)]


def seam(left: Sequence[Word], right: Sequence[Word], middle_s: float) -> tuple[int, int]:
    """How many words of `left` count, and how many of `right` do not, where both readings overlap around `middle_s`.

    The seam runs behind the word nearest to `middle_s` on which both agree: the same word at about the same time,
    each the other's nearest. Where they agree on none it runs through `middle_s`; a word lies on the side of its
    middle.
    """
    agreed = [
        (abs(_middle(left[i]) + _middle(right[j]) - 2.0 * middle_s), i + 1, j + 1)
        for i in range(len(left))
        if (j := _nearest(left[i], right)) is not None and _nearest(right[j], left) == i
    ]
    if agreed:
        _, first, second = min(agreed)
        return first, second
    return sum(_middle(word) < middle_s for word in left), sum(_middle(word) < middle_s for word in right)


def _nearest(word: Word, others: Sequence[Word]) -> int | None:
    """Which of `others` is the same word and nearest in time, within NEAR_S."""
    distances = [(abs(_middle(other) - _middle(word)), j) for j, other in enumerate(others) if other.word == word.word]
    distance_s, j = min(distances, default=(NEAR_S, -1))
    return j if distance_s < NEAR_S else None


def _middle(word: Word) -> float:
    return (word.start_s + word.end_s) / 2.0
