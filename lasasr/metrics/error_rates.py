"""Word, character and phone error rates, pooled over a corpus.

A rate is 100 · (S + D + I) / N with substitutions, deletions, insertions and reference length each summed over all
utterances first; the mean of per-utterance rates is another number and is never reported. Alignments are RapidFuzz's,
and so equal jiwer's: each error costs 1, so S + D + I is the Levenshtein distance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import starmap, zip_longest
from typing import Literal, NamedTuple

from rapidfuzz.distance import Levenshtein

from lasasr.errors import LasasrError

Metric = Literal["wer", "cer", "per"]
MOST_CHARACTER_PAIRS = 400_000_000_000  # 630,000 characters against as many, 9 hours of speech: half a minute at worst
FEW_ERRORS = 64  # where a band about the diagonal is tried first; it is doubled until it holds the distance


class AlignedPair(NamedTuple):
    """A reference unit and a hypothesis unit that are aligned; at least one is not None."""

    reference: str | None  # None: the hypothesis inserted
    hypothesis: str | None  # None: the hypothesis deleted

    @property
    def correct(self) -> bool:
        """Whether both sides are the same."""
        return self.reference == self.hypothesis


@dataclass(frozen=True)
class Counts:
    """Errors of one utterance, or summed over many."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference_length: int = 0  # words, characters or phones

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.reference_length + other.reference_length,
        )

    @property
    def errors(self) -> int:
        """S + D + I."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def percent(self) -> float:
        """100 · (S + D + I) / N; more than 100 where there are many insertions.

        Raises:
            LasasrError: N is 0, so that no rate is defined.
        """
        if not self.reference_length:
            raise LasasrError("the references hold nothing to recognise, so their error rate is not defined")
        return 100.0 * self.errors / self.reference_length


def units(text: str, metric: Metric) -> list[str]:
    """The units that `metric` counts in `text`.

    "wer" and "per" count units that spaces separate (words, phones); "cer" counts characters, the single space between
    two words included, those at the ends not.

    Raises:
        ValueError: `metric` is none of the three.
    """
    if metric not in ("wer", "cer", "per"):
        raise ValueError(f"metric must be wer, cer or per, got {metric!r}")
    words = text.split()
    return list(" ".join(words)) if metric == "cer" else words


def align(reference: str, hypothesis: str, metric: Metric) -> list[AlignedPair]:
    """An alignment of least cost, in order; either text may be empty."""
    reference_units, hypothesis_units = units(reference, metric), units(hypothesis, metric)
    pairs: list[AlignedPair] = []
    for code in Levenshtein.opcodes(reference_units, hypothesis_units):
        left = reference_units[code.src_start : code.src_end]
        right = hypothesis_units[code.dest_start : code.dest_end]
        pairs += map(_correct_pair, left) if code.tag == "equal" else starmap(AlignedPair, zip_longest(left, right))
    return pairs


@lru_cache(maxsize=1 << 16)  # the words of a million utterances are a few thousand different ones
def _correct_pair(unit: str) -> AlignedPair:
    return AlignedPair(unit, unit)


def count(pairs: Iterable[AlignedPair]) -> Counts:
    """The errors of one alignment."""
    substitutions = deletions = insertions = length = 0
    for reference, hypothesis in pairs:
        length += reference is not None
        if reference == hypothesis:
            continue
        insertions += reference is None
        deletions += hypothesis is None
        substitutions += reference is not None and hypothesis is not None
    return Counts(substitutions, deletions, insertions, length)


def compare(reference: str, hypothesis: str, metric: Metric) -> Counts:
    """The errors of `hypothesis`; all of it is insertions where `reference` is empty."""
    return count(align(reference, hypothesis, metric))


def counts_between(reference: Sequence[str], hypothesis: Sequence[str]) -> Counts:
    """The counts of `align` for two sequences of `units`, many times as fast, without the alignment."""
    if reference == hypothesis:
        return Counts(reference_length=len(reference))
    kinds = [kind for kind, _, _ in Levenshtein.editops(reference, hypothesis).as_list()]
    return Counts(kinds.count("replace"), kinds.count("delete"), kinds.count("insert"), len(reference))


def errors_between(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """S + D + I of `counts_between`, faster than the three apart."""
    return Levenshtein.distance(reference, hypothesis, score_hint=FEW_ERRORS)


def refuse_endless(name: str, reference: str, hypothesis: str) -> None:
    """Refuse an utterance whose alignment would take minutes: its time grows with the product of both lengths.

    Args:
        name: the utterance and its file, for the message.

    Raises:
        LasasrError: more than `MOST_CHARACTER_PAIRS`.
    """
    if reference != hypothesis and len(reference) * len(hypothesis) > MOST_CHARACTER_PAIRS:
        raise LasasrError(
            f"{name} has {len(hypothesis):,} characters, its reference {len(reference):,}; their product, with which "
            f"the time of scoring grows, may be {MOST_CHARACTER_PAIRS:,} at most: divide the utterance"
        )


def pooled(counts: Iterable[Counts]) -> Counts:
    """The sum over utterances, from which a corpus's rate is taken."""
    return sum(counts, Counts())
