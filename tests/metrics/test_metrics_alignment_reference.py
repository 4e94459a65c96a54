import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lasasr.metrics.alignment_reference import (
    NEAR,
    REACH,
    TimedLabel,
    combined_times,
    compare_boundaries,
    summarised_boundaries,
    token_intervals,
    token_times,
    word_times,
)

moments = arrays.arrays(np.float64, st.integers(2, 12), elements=st.floats(0, 3))


def timed(text: str, *edges: float) -> list[TimedLabel]:
    return [TimedLabel(*fields) for fields in zip(text.split(), edges[::2], edges[1::2], strict=True)]


@pytest.mark.parametrize("method", ["centre", "peak"])
def test_one_frame_is_its_middle(method: str) -> None:
    weights = np.zeros((3, 1, 10))
    weights[[0, 1, 2], 0, [0, 4, 9]] = 0.7
    assert token_times(weights, frame_s=0.08, method=method) == pytest.approx([0.04, 0.36, 0.76])


def test_the_centre_is_the_mean_moment_and_the_peak_the_largest_weight() -> None:
    weights = np.random.default_rng(0).dirichlet(np.ones(20), size=(5, 1))
    drawn = np.random.default_rng(1).choice(20, size=200_000, p=weights[2, 0])
    assert token_times(weights, 0.04)[2] == pytest.approx(0.04 * (drawn + 0.5).mean(), abs=0.002)
    assert token_times(weights, 0.04, "peak") == pytest.approx(0.04 * (weights[:, 0].argmax(1) + 0.5))


def test_no_steps_have_no_times_and_an_unknown_method_is_named() -> None:
    assert token_times(np.zeros((0, 2, 5)), 0.04).shape == (0,)
    with pytest.raises(ValueError, match="got 'mode'"):
        token_times(np.ones((1, 1, 1)), 0.04, "mode")


def test_a_frame_is_where_it_begins_and_a_step_without_weight_is_nowhere() -> None:
    weights = np.zeros((3, 1, 10))
    weights[[0, 2], 0, [0, 4]] = 0.7
    for method in ("centre", "peak"):
        assert token_times(weights, 0.08, method, 0.0075) == pytest.approx([0.0475, np.nan, 0.3675], nan_ok=True)


def test_of_several_heads_the_one_that_reads_along_is_read() -> None:
    generator = np.random.default_rng(0)
    weights = generator.dirichlet(np.ones(12), size=(12, 3))
    weights[:, 1] = np.eye(12)
    assert token_times(weights, 1.0) == pytest.approx(np.arange(12) + 0.5)


def test_the_mean_is_taken_but_at_the_ends_attention_alone() -> None:
    attended, ctc = np.array([0.3, 0.5, 0.9, 1.3]), np.array([0.1, 0.6, 0.8, 1.6])
    assert combined_times(attended, ctc, 2.0) == pytest.approx([0.3, 0.55, 0.85, 1.3])


@given(moments, st.integers(0, 2**32 - 1))
def test_ctc_stands_where_attention_is_lost(ctc: np.ndarray, seed: int) -> None:
    ctc, lost = np.sort(ctc), np.random.default_rng(seed).uniform(-1, 4, len(ctc))
    combined = combined_times(lost, ctc, 3.0)
    for u, (moment, ctc_moment) in enumerate(zip(combined, ctc, strict=True)):
        low, high = ctc[u - NEAR] if u >= NEAR else 0.0, ctc[u + NEAR] if u + NEAR < len(ctc) else 3.0
        assert low <= moment <= high
        assert moment == ctc_moment or low <= lost[u] <= high
    assert combined_times(np.full(len(ctc), np.nan), ctc, 3.0) == pytest.approx(ctc)


def test_nothing_to_combine_and_what_does_not_fit() -> None:
    assert combined_times(np.zeros(0), np.zeros(0), 1.0).shape == (0,)
    assert combined_times(np.array([0.4]), np.array([0.2]), 1.0) == pytest.approx([0.4])
    with pytest.raises(ValueError, match=r"as many as ctc_s \(2\), got 1"):
        combined_times(np.zeros(1), np.zeros(2), 1.0)


def test_the_space_between_two_words_is_where_they_meet() -> None:
    intervals = token_intervals([*"ab▁cd"], np.array([0.1, 0.2, 0.35, 0.4, 0.5]), duration_s=1.0)
    assert [interval.end_s for interval in intervals[:2]] == pytest.approx([0.15, 0.35])
    assert (intervals[2].start_s, intervals[2].end_s) == pytest.approx((0.35, 0.35))
    assert intervals[3].start_s == pytest.approx(0.35)
    assert [word.end_s for word in word_times(intervals)] == pytest.approx([0.35, 0.55])


@pytest.mark.parametrize("mark", [[], ["▁"]])
def test_a_long_gap_is_a_pause_and_belongs_to_nobody(mark: list[str]) -> None:
    at = np.array([0.1, 0.2, 0.3, 0.4, *[1.2] * len(mark), 2.0, 2.1, 2.2, 2.3])
    intervals = token_intervals([*"abcd", *mark, *"efgh"], at, duration_s=2.5)
    reach = REACH * 2.2 / (len(at) - 1)
    assert intervals[3].end_s == pytest.approx(0.4 + reach)
    assert intervals[-4].start_s == pytest.approx(2.0 - reach)


def test_missing_moments_lie_between_their_neighbours() -> None:
    at = np.array([0.1, np.nan, 0.5, np.nan])
    complete = np.array([0.1, 0.3, 0.5, 0.5])
    for interval, expected in zip(
        token_intervals([*"abcd"], at, 1.0), token_intervals([*"abcd"], complete, 1.0), strict=True
    ):
        assert interval[1:] == pytest.approx(expected[1:])
    with pytest.raises(ValueError, match="missing altogether"):
        token_intervals([*"ab"], np.full(2, np.nan), 1.0)


@given(moments)
def test_tokens_follow_one_another_inside_the_utterance(moments_s: np.ndarray) -> None:
    intervals = token_intervals(["x"] * len(moments_s), moments_s, duration_s=2.5)
    for left, following in itertools.pairwise(intervals):
        assert left.end_s <= following.start_s
    assert all(0 <= interval.start_s <= interval.end_s <= 2.5 for interval in intervals)


@given(moments)
def test_a_moment_that_does_not_go_back_lies_in_its_token(moments_s: np.ndarray) -> None:
    rising = np.sort(moments_s)
    for moment, interval in zip(rising, token_intervals(["x"] * len(rising), rising, duration_s=3.0), strict=True):
        assert interval.start_s <= moment <= interval.end_s


def test_even_tokens_come_back_exactly() -> None:
    edges = np.linspace(0.0, 1.0, 6)
    intervals = token_intervals(list("abcde"), (edges[1:] + edges[:-1]) / 2, duration_s=1.0)
    assert [interval.start_s for interval in intervals] == pytest.approx(edges[:-1])
    assert [interval.end_s for interval in intervals] == pytest.approx(edges[1:])


def test_one_token_or_none() -> None:
    assert token_intervals(["a"], np.array([0.3]), 0.9) == [TimedLabel("a", 0.0, 0.9)]
    assert token_intervals([], np.zeros(0), 0.9) == []
    with pytest.raises(ValueError, match=r"as many as tokens \(1\), got 2"):
        token_intervals(["a"], np.zeros(2), 0.9)


@pytest.mark.parametrize("tokens", ["c a t ▁ s a t", "▁ca t ▁s at", "ca t ▁ sat", "▁ cat ▁ ▁ sat ▁"])
def test_words_of_characters_and_of_pieces(tokens: str) -> None:
    names = tokens.split()
    words = word_times([TimedLabel(name, float(i), i + 1.0) for i, name in enumerate(names)])
    assert [word.label for word in words] == ["cat", "sat"]
    text = [i for i, name in enumerate(names) if name != "▁"]
    second = next(i for i in text if names[i].removeprefix("▁").startswith("s"))
    assert words[0].start_s == text[0]
    assert words[0].end_s == max(i for i in text if i < second) + 1
    assert (words[1].start_s, words[1].end_s) == (second, text[-1] + 1)


def test_no_tokens_make_no_words() -> None:
    assert word_times([]) == []
    assert word_times([TimedLabel("▁", 0.0, 1.0)]) == []


def test_a_shifted_reading_is_off_by_the_shift() -> None:
    reference = timed("a b c", 0.0, 0.2, 0.3, 0.5, 0.5, 0.9)
    later = [TimedLabel(word.label, word.start_s + 0.03, word.end_s + 0.03) for word in reference]
    compared = compare_boundaries(reference, later)
    assert compared.errors_ms == pytest.approx([30.0] * 6)
    summary = summarised_boundaries([compared])
    assert summary == {
        "median_ms": pytest.approx(30.0),
        "bias_ms": pytest.approx(30.0),
        "within_20_ms": 0.0,
        "within_50_ms": 1.0,
        "within_100_ms": 1.0,
        "matched": 1.0,
        "boundaries": 6,
    }


def test_only_agreeing_labels_are_compared() -> None:
    reference = timed("a b c", 0.0, 0.2, 0.3, 0.5, 0.5, 0.9)
    hypothesis = timed("x a d c", 0.0, 0.1, 0.1, 0.2, 0.3, 0.5, 0.4, 0.9)
    compared = compare_boundaries(reference, hypothesis)
    assert compared.errors_ms == pytest.approx([100.0, 0.0, -100.0, 0.0])
    assert (compared.matched, compared.reference_length) == (2, 3)


def test_boundaries_are_pooled_over_utterances() -> None:
    long = timed("a b c", 0.0, 0.2, 0.3, 0.5, 0.5, 0.9)
    short = timed("a", 0.0, 0.2)
    summary = summarised_boundaries([compare_boundaries(long, long), compare_boundaries(short, timed("a", 0.08, 0.28))])
    assert summary["boundaries"] == 8
    assert summary["median_ms"] == 0.0
    assert summary["within_50_ms"] == 6 / 8
    assert summary["within_100_ms"] == 1.0


def test_nothing_in_common_has_no_error() -> None:
    nothing = summarised_boundaries([compare_boundaries(timed("a", 0.0, 0.2), timed("b", 0.0, 0.2))])
    assert nothing["median_ms"] is None
    assert nothing["matched"] == 0.0
    assert summarised_boundaries([])["matched"] is None


def test_a_label_of_two_words_is_refused() -> None:
    with pytest.raises(ValueError, match="got 'a b'"):
        compare_boundaries([TimedLabel("a b", 0.0, 1.0)], [])


@given(st.lists(st.text("ab\u2581\u00a0\u3000\u2028\x85 ", min_size=1, max_size=5), max_size=6))
def test_words_are_those_that_errors_are_counted_in(names: list[str]) -> None:
    """Whatever a vocabulary holds: a label with a space in it could not be matched with the reference."""
    names = [name for name in names if "\u2581" not in name[1:]]
    words = word_times([TimedLabel(name, float(i), i + 1.0) for i, name in enumerate(names)])
    text = "".join(f" {name[1:]}" if name.startswith("\u2581") else name for name in names)
    assert [word.label for word in words] == text.split()
    assert all(word.start_s < word.end_s for word in words)
    assert all(left.end_s <= right.start_s + 1e-9 for left, right in itertools.pairwise(words))


def test_a_piece_with_a_space_inside_is_two_words_with_a_share_of_its_time() -> None:
    (first, second) = word_times([TimedLabel("\u2581ab\u00a0c", 1.0, 2.0), TimedLabel("d", 2.0, 3.0)])
    assert (first.label, first.start_s, first.end_s) == ("ab", 1.0, pytest.approx(1.5))
    assert (second.label, second.start_s, second.end_s) == ("cd", pytest.approx(1.75), 3.0)


def test_an_error_of_exactly_the_limit_is_within_it() -> None:
    """Errors of 10, −20, 20 and 50 ms: binary fractions of seconds must not push 20 ms over the limit."""
    reference = [TimedLabel("a", 0.31, 0.32), TimedLabel("b", 0.3, 0.7)]
    hypothesis = [TimedLabel("a", 0.32, 0.3), TimedLabel("b", 0.32, 0.75)]
    summary = summarised_boundaries([compare_boundaries(reference, hypothesis)])
    assert summary["within_20_ms"] == 0.75
    assert summary["within_50_ms"] == 1.0
