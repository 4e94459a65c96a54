import itertools
import random

import numpy as np
import pytest
from scipy import stats

from lasasr.metrics.error_rates import AlignedPair, align, count
from lasasr.metrics.significance.mapsswe import mapsswe, segments, slots


def test_the_example_of_the_literature() -> None:
    """Jurafsky and Martin, "Speech and Language Processing", on MAPSSWE after Gillick and Cox 1989: four segments."""
    reference = "it was the best of times it was the worst of times it was"
    first = slots(align(reference, "its the best of times it is the worst of times or it was", "wer"))
    second = slots(align(reference, "it was the best times it won the test of times it was", "wer"))
    assert segments(first, second) == [(2, 0), (0, 1), (1, 2), (1, 0)]
    result = mapsswe([(first, second)])
    differences = np.array([2, -1, -1, 1])
    assert result.difference == pytest.approx(0.25)
    assert result.z == pytest.approx(stats.ttest_1samp(differences, 0.0).statistic)
    assert result.p == pytest.approx(2 * stats.norm.sf(abs(result.z)))


def literal(first: list[AlignedPair], second: list[AlignedPair], boundary: int) -> list[tuple[int, int]]:
    """The definition on a string: one letter per place, g (both right) or x (an error, or an insertion)."""
    first_marks, second_marks = marks(first), marks(second)
    line: list[tuple[str, int, int]] = []
    for (inserted_1, wrong_1), (inserted_2, wrong_2) in zip(first_marks, second_marks, strict=True):
        if inserted_1 or inserted_2:
            line.append(("x", inserted_1, inserted_2))
        line.append(("x" if wrong_1 or wrong_2 else "g", wrong_1, wrong_2))
    line.pop()  # the end is no word
    text = "".join(letter for letter, *_ in line)
    counts, position = [], 0
    while (start := text.find("x", position)) >= 0:
        stop = text.find("g" * boundary, start)
        position = len(text) if stop < 0 else stop
        counts.append((sum(row[1] for row in line[start:position]), sum(row[2] for row in line[start:position])))
    return counts


def marks(pairs: list[AlignedPair]) -> list[tuple[int, int]]:
    places = [[0, 0]]
    for pair in pairs:
        if pair.reference is None:
            places[-1][0] += 1
        else:
            places[-1][1] = int(not pair.correct)
            places.append([0, 0])
    return [(inserted, wrong) for inserted, wrong in places]


@pytest.mark.parametrize("boundary", [1, 2, 3])
def test_segments_are_those_of_the_definition_and_lose_no_error(boundary: int) -> None:
    draw = random.Random(0)
    for _ in range(300):
        reference = draw.choices("abcd", k=draw.randrange(0, 15))
        sides = []
        for _ in range(2):
            hypothesis = [draw.choice("abcd") if draw.random() < 0.2 else w for w in reference if draw.random() > 0.1]
            for _ in range(draw.randrange(3)):
                hypothesis.insert(draw.randrange(len(hypothesis) + 1), "z")
            sides.append(align(" ".join(reference), " ".join(hypothesis), "wer"))
        first, second = map(slots, sides)
        counts = segments(first, second, boundary)
        assert counts == literal(*sides, boundary)
        assert [sum(column) for column in zip(*counts, strict=True)] == [
            count(pairs).errors for pairs in sides
        ] or not counts
        assert segments(second, first, boundary) == [(b, a) for a, b in counts]


def test_degenerate_segments() -> None:
    good, bad = slots(align("a b c", "a b c", "wer")), slots(align("a b c", "a x c", "wer"))
    none = mapsswe([(good, good)])
    assert (none.segments, none.p) == (0, None)
    same = mapsswe([(bad, bad)] * 3)
    assert (same.segments, same.difference, same.p) == (3, 0.0, 1.0)
    alone = mapsswe([(bad, good)])
    assert (alone.difference, alone.z, alone.p) == (1.0, None, None)


def test_what_cannot_be_paired_is_refused() -> None:
    with pytest.raises(ValueError, match="same reference"):
        segments(slots(align("a b", "a", "wer")), slots(align("a c", "a", "wer")))
    with pytest.raises(ValueError, match="at least 1, got 0"):
        segments(slots([]), slots([]), 0)


def test_equal_systems_with_independent_segments_are_called_different_as_often_as_the_level_says() -> None:
    generator = np.random.default_rng(0)
    good, bad = slots(align("a b c", "a b c", "wer")), slots(align("a b c", "a x c", "wer"))
    hits = 0
    for _ in range(400):
        wrong = generator.random((60, 2)) < 0.4
        hits += (
            mapsswe([(bad if first else good, bad if second else good) for first, second in wrong]).p or 1.0
        ) <= 0.05
    low, high = stats.binom.ppf([0.001, 0.999], 400, 0.05)
    assert low <= hits <= high


def test_all_short_utterances_end_their_segment() -> None:
    for hypothesis in itertools.product(["a", "x", ""], repeat=2):
        pairs = align("a a", " ".join(hypothesis), "wer")
        assert segments(slots(pairs), slots(pairs)) == ([(count(pairs).errors,) * 2] if count(pairs).errors else [])
