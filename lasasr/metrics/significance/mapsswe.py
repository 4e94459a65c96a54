"""The matched-pairs sentence-segment word error test (MAPSSWE) of two hypotheses for the same references.

Gillick and Cox 1989 ("Some statistical issues in the comparison of speech recognition algorithms", ICASSP): the
test set is cut into segments such that the errors in one are independent of those in another. It takes one run of each
system and treats all segments of a speaker as independent, so it ignores other seeds, and finds too many differences
where speakers differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
from scipy import special

from lasasr.metrics.error_rates import AlignedPair

BOUNDARY = 2  # words both systems must get right in succession, as in NIST's sclite


@dataclass(frozen=True)
class Mapsswe:
    """The result of the test; `difference` > 0 if the first system has more errors."""

    segments: int
    difference: float | None  # mean of first − second, in errors per segment; None without any segment
    z: float | None  # None where the segments have no spread
    p: float | None  # two-sided


class ReferenceSlots(NamedTuple):
    """An alignment by reference words, and the end of the utterance (None)."""

    words: list[str | None]
    inserted: list[int]  # words before each
    wrong: list[bool]
    any_error: bool


def slots(pairs: Sequence[AlignedPair]) -> ReferenceSlots:
    """The slots of one utterance's alignment."""
    words: list[str | None] = []
    inserted = [0]
    wrong: list[bool] = []
    for reference, hypothesis in pairs:
        if reference is None:
            inserted[-1] += 1
        else:
            words.append(reference)
            wrong.append(reference != hypothesis)
            inserted.append(0)
    return ReferenceSlots([*words, None], inserted, [*wrong, False], any(inserted) or any(wrong))


def segments(first: ReferenceSlots, second: ReferenceSlots, boundary: int = BOUNDARY) -> list[tuple[int, int]]:
    """The errors (of the first, of the second) in each segment of one utterance, in order.

    The rule, which is sclite's: read the reference from left to right. A segment begins with the first error that
    either system makes, an insertion being an error before the word that follows it. It ends as soon as `boundary`
    successive reference words were got right by both, nothing inserted between them, or with the utterance. Between
    segments there are no errors.

    Where it departs from sclite: the boundary's words belong to neither neighbour (they have no errors, so no count
    changes); an insertion at the very end counts whoever makes it; the alignments are those of least errors, sclite's
    have costs 4 for a substitution and 3 for the others.

    Raises:
        ValueError: the alignments are not of the same reference, or `boundary` is below 1.
    """
    if boundary < 1:
        raise ValueError(f"boundary must be at least 1, got {boundary}")
    if first.words != second.words:
        raise ValueError("first and second must be alignments to the same reference")
    if not (first.any_error or second.any_error):
        return []
    counts: list[tuple[int, int]] = []
    first_errors = second_errors = right_in_a_row = 0
    slots_of_both = zip(first.inserted, first.wrong, second.inserted, second.wrong, strict=True)
    for first_inserted, first_wrong, second_inserted, second_wrong in slots_of_both:
        first_errors += first_inserted + first_wrong
        second_errors += second_inserted + second_wrong
        if first_wrong or second_wrong:
            right_in_a_row = 0
        else:
            right_in_a_row = 1 if first_inserted or second_inserted else right_in_a_row + 1
        if right_in_a_row >= boundary and (first_errors or second_errors):
            counts.append((first_errors, second_errors))
            first_errors = second_errors = 0
    return [*counts, (first_errors, second_errors)] if first_errors or second_errors else counts


def mapsswe(utterances: Iterable[tuple[ReferenceSlots, ReferenceSlots]], boundary: int = BOUNDARY) -> Mapsswe:
    """The test over the (first, second) alignments of all utterances.

    z = μ/(σ/√n) with μ the mean and σ² the variance (over n − 1) of Z_i = errors of the first − of the second in
    segment i, and p = 2·P(Z ≥ |z|) of the normal distribution.
    """
    rows = [row for first, second in utterances for row in segments(first, second, boundary)]
    differences = np.array([first - second for first, second in rows], dtype=np.float64)
    if not rows:
        return Mapsswe(0, None, None, None)
    mean = float(differences.mean())
    spread = float(differences.std(ddof=1)) if len(rows) > 1 else 0.0
    if not spread:
        return Mapsswe(len(rows), mean, None, 1.0 if mean == 0.0 else None)
    z = mean / (spread / sqrt(len(rows)))
    return Mapsswe(len(rows), mean, z, float(2.0 * special.ndtr(-abs(z))))
