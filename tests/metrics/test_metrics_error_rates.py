from functools import cache
from itertools import zip_longest

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasasr.errors import LasasrError
from lasasr.metrics.error_rates import (
    AlignedPair,
    Counts,
    align,
    compare,
    count,
    counts_between,
    errors_between,
    pooled,
    refuse_endless,
    units,
)

words = st.lists(st.sampled_from(["a", "b", "ab", "c"]), max_size=7).map(" ".join)
every_metric = pytest.mark.parametrize("metric", ["wer", "cer", "per"])


def distance(left: list[str], right: list[str]) -> int:
    """Levenshtein's distance by its definition."""

    @cache
    def cost(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        return min(cost(i - 1, j) + 1, cost(i, j - 1) + 1, cost(i - 1, j - 1) + (left[i - 1] != right[j - 1]))

    return cost(len(left), len(right))


@every_metric
@given(reference=words, hypothesis=words)
def test_errors_are_the_levenshtein_distance(metric: str, reference: str, hypothesis: str) -> None:
    counts = compare(reference, hypothesis, metric)
    assert counts.errors == distance(units(reference, metric), units(hypothesis, metric))
    assert counts.reference_length == len(units(reference, metric))
    surplus = len(units(hypothesis, metric)) - len(units(reference, metric))
    assert counts.insertions - counts.deletions == surplus


@every_metric
@given(reference=words, hypothesis=words)
def test_an_alignment_holds_both_texts_in_order(metric: str, reference: str, hypothesis: str) -> None:
    pairs = align(reference, hypothesis, metric)
    assert [p.reference for p in pairs if p.reference is not None] == units(reference, metric)
    assert [p.hypothesis for p in pairs if p.hypothesis is not None] == units(hypothesis, metric)
    assert AlignedPair(None, None) not in pairs


@given(st.lists(st.tuples(words.filter(bool), words), min_size=1, max_size=6))
def test_the_pooled_rates_are_jiwers(texts: list[tuple[str, str]]) -> None:
    references, hypotheses = (list(side) for side in zip(*texts, strict=True))
    for metric, theirs in (("wer", jiwer.wer), ("cer", jiwer.cer)):
        total = pooled(compare(r, h, metric) for r, h in texts)
        assert total.percent == pytest.approx(100 * theirs(references, hypotheses))
    theirs = jiwer.process_words(references, hypotheses)
    total = pooled(compare(r, h, "wer") for r, h in texts)
    assert (total.substitutions, total.deletions, total.insertions) == (
        theirs.substitutions,
        theirs.deletions,
        theirs.insertions,
    )


@given(reference=words, hypothesis=words)
def test_alignments_are_jiwers(reference: str, hypothesis: str) -> None:
    left, right = [reference.split()], [hypothesis.split()]
    theirs = jiwer.process_words(left, right, lambda texts: texts, lambda texts: texts).alignments[0]
    expected = [
        AlignedPair(*pair)
        for chunk in theirs
        for pair in zip_longest(
            left[0][chunk.ref_start_idx : chunk.ref_end_idx], right[0][chunk.hyp_start_idx : chunk.hyp_end_idx]
        )
    ]
    assert align(reference, hypothesis, "wer") == expected


def test_pooling_is_not_the_mean_of_rates() -> None:
    total = pooled([compare("a", "b", "wer"), compare("a b c d e f g h i", "a b c d e f g h i", "wer")])
    assert total == Counts(substitutions=1, reference_length=10)
    assert total.percent == 10.0


@every_metric
def test_empty_sides(metric: str) -> None:
    assert compare("", "", metric) == Counts()
    assert compare("", "a b", metric) == Counts(insertions=len(units("a b", metric)))
    assert compare("a b", " ", metric) == Counts(
        deletions=len(units("a b", metric)), reference_length=len(units("a b", metric))
    )


def test_a_rate_can_exceed_100_percent() -> None:
    assert compare("a", "b c d", "wer").percent == 300.0


def test_a_rate_over_nothing_is_refused() -> None:
    with pytest.raises(LasasrError, match="not defined"):
        _ = pooled([compare("", "a", "wer")]).percent


def test_units() -> None:
    assert units(" it's  so ", "wer") == ["it's", "so"]
    assert units(" it  so ", "cer") == ["i", "t", " ", "s", "o"]
    assert units("ax-h  sh", "per") == ["ax-h", "sh"]
    with pytest.raises(ValueError, match="got 'word'"):
        units("a", "word")


def test_an_alignment_shows_each_kind_of_error() -> None:
    pairs = align("the cat sat on a mat", "a cat on a mat now", "wer")
    assert pairs == [
        AlignedPair("the", "a"),
        AlignedPair("cat", "cat"),
        AlignedPair("sat", None),
        AlignedPair("on", "on"),
        AlignedPair("a", "a"),
        AlignedPair("mat", "mat"),
        AlignedPair(None, "now"),
    ]
    assert count(pairs) == Counts(1, 1, 1, 6)


@every_metric
@given(reference=words, hypothesis=words)
def test_counts_without_an_alignment_are_those_of_the_alignment(metric: str, reference: str, hypothesis: str) -> None:
    expected = compare(reference, hypothesis, metric)
    assert counts_between(units(reference, metric), units(hypothesis, metric)) == expected
    assert errors_between(units(reference, metric), units(hypothesis, metric)) == expected.errors


@pytest.mark.parametrize("changed", [1, 7, 2])
def test_errors_of_long_texts_are_those_of_a_band_of_any_width(changed: int) -> None:
    """Near texts stay in the first band, far ones need it doubled several times."""
    reference = [chr(97 + number * number % 23) for number in range(3_000)]
    hypothesis = ["-" if number % changed == 0 else unit for number, unit in enumerate(reference)]
    hypothesis[1_000:1_000] = ["+"] * 100
    assert errors_between(reference, hypothesis) == counts_between(reference, hypothesis).errors


def test_a_pair_that_would_take_minutes_is_refused_by_name() -> None:
    refuse_endless("hyp.trn: a", "x" * 10_000_000, "x" * 10_000_000)
    refuse_endless("hyp.trn: a", "x" * 10_000_000, "y" * 40_000)
    with pytest.raises(LasasrError, match=r"hyp.trn: a has 40,001 characters, its reference 10,000,000; .* divide"):
        refuse_endless("hyp.trn: a", "x" * 10_000_000, "y" * 40_001)
