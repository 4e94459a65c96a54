import itertools

import numpy as np
import pytest
from scipy import stats

from lasasr.errors import LasasrError
from lasasr.metrics.bootstrap import _kept_draws, interval, resampled, speaker_interval
from lasasr.metrics.error_rates import Counts


def some_counts(utterances: int, rate: float = 0.2, seed: int = 0) -> list[Counts]:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, 20, size=utterances)
    return [Counts(int(generator.binomial(n, rate)), 0, 0, int(n)) for n in lengths]


def test_the_interval_is_scipys() -> None:
    counts = some_counts(60)
    errors, lengths = (np.array([getattr(c, name) for c in counts]) for name in ("errors", "reference_length"))
    theirs = stats.bootstrap(
        (errors, lengths),
        lambda e, n, axis: 100 * e.sum(axis) / n.sum(axis),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=10_000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    ours = interval(counts)
    # two draws of 10,000: their percentiles differ by a few hundredths of the interval's width
    width = theirs.high - theirs.low
    assert ours.bounds == pytest.approx([theirs.low, theirs.high], abs=0.05 * width)


def test_resampled_rates_are_those_of_all_possible_draws() -> None:
    errors, lengths = np.array([0, 1, 4]), np.array([3, 2, 5])
    exact = sorted(
        100 * errors[list(draw)].sum() / lengths[list(draw)].sum() for draw in itertools.product(range(3), repeat=3)
    )
    rates = resampled(errors, lengths, 20_000, seed=0)
    assert set(np.round(rates, 9)) == set(np.round(exact, 9))
    for value in set(exact):
        share = exact.count(value) / 27
        assert np.isclose(rates, value).mean() == pytest.approx(share, abs=0.015)


@pytest.mark.parametrize("attribute", ["MOST_DRAWN", "_KEPT"])
def test_other_ways_to_draw_give_the_same_distribution(attribute: str, monkeypatch: pytest.MonkeyPatch) -> None:
    errors, lengths = np.array([0, 1, 1, 4, 0]), np.array([3, 2, 2, 5, 0])
    draws = [list(draw) for draw in itertools.product(range(5), repeat=5)]
    exact = [100 * errors[draw].sum() / lengths[draw].sum() for draw in draws if lengths[draw].sum()]
    monkeypatch.setattr(f"lasasr.metrics.bootstrap.{attribute}", 1)
    rates = resampled(errors, lengths, 40_000, seed=0)
    for limit in np.linspace(0.0, 80.0, 17):
        assert (rates <= limit).mean() == pytest.approx((np.array(exact) <= limit).mean(), abs=0.01)


def test_draws_are_exact_where_single_precision_is_not() -> None:
    errors, lengths = np.array([1, 0, 16_777_217]), np.array([16_777_217, 33_554_433, 3])
    _kept_draws.cache_clear()
    rates = resampled(errors, lengths, 50, seed=5)
    drawn = np.random.default_rng(5).integers(3, size=(50, 3))
    assert np.array_equal(rates, 100.0 * errors[drawn].sum(1) / lengths[drawn].sum(1))


@pytest.mark.parametrize("utterances", [2, 500])
def test_as_many_resamples_as_asked_for_also_in_parts(utterances: int, monkeypatch: pytest.MonkeyPatch) -> None:
    errors, lengths = np.arange(utterances), np.full(utterances, utterances)
    whole = resampled(errors, lengths, 1001, seed=3)
    monkeypatch.setattr("lasasr.metrics.bootstrap._AT_ONCE", 700)
    _kept_draws.cache_clear()
    parts = resampled(errors, lengths, 1001, seed=3)
    assert whole.shape == (1001,)
    assert np.array_equal(whole, parts)


def test_equal_seeds_give_equal_intervals_and_the_order_of_a_wider_level_holds() -> None:
    counts = some_counts(40)
    assert interval(counts, seed=1) == interval(counts, seed=1)
    assert interval(counts, seed=1) != interval(counts, seed=2)
    (low, high), (lower, higher) = interval(counts).bounds, interval(counts, level=0.99).bounds
    assert lower < low < high < higher


def test_coverage_is_near_the_level() -> None:
    hits = 0
    for seed in range(200):
        low, high = interval(some_counts(80, rate=0.2, seed=seed), resamples=400).bounds
        hits += low <= 20.0 <= high
    assert 0.89 <= hits / 200 <= 0.985


def test_drawing_every_utterance_as_its_own_cluster_changes_nothing() -> None:
    counts = some_counts(30)
    assert interval(counts, clusters=range(30)).bounds == interval(counts).bounds


def test_alike_utterances_of_a_speaker_widen_the_interval() -> None:
    counts = [Counts(speaker, 0, 0, 10) for speaker in range(6) for _ in range(20)]
    speakers = [speaker for speaker in range(6) for _ in range(20)]
    (low, high), (lower, higher) = interval(counts).bounds, interval(counts, clusters=speakers).bounds
    assert higher - lower > 2 * (high - low)


def test_speakers_are_drawn_where_each_is_known_and_there_are_two() -> None:
    counts = some_counts(30)
    speakers = [f"s{number % 5}" for number in range(30)]
    over_speakers, over_utterances = interval(counts, clusters=speakers), interval(counts)
    assert speaker_interval(counts, speakers).bounds == over_speakers.bounds
    assert "over speakers" in speaker_interval(counts, speakers).method
    for unnamed in (["", *speakers[1:]], [None, *speakers[1:]], [""] * 30, ["one"] * 30):
        assert speaker_interval(counts, unnamed) == over_utterances
    assert "over utterances" in over_utterances.method


def test_one_utterance_has_no_interval() -> None:
    alone = interval([Counts(1, 0, 0, 5)])
    assert alone.bounds is None
    assert "one" in alone.method
    assert interval(some_counts(9), clusters=["a"] * 9).bounds is None


def test_without_errors_the_upper_end_is_the_exact_binomial_one() -> None:
    exact = stats.binomtest(0, 30).proportion_ci(method="exact")
    bounds = interval([Counts(reference_length=10)] * 3)
    assert bounds.bounds == pytest.approx([100 * exact.low, 100 * exact.high])
    assert "binomial" in bounds.method


def test_empty_references_take_part() -> None:
    counts = [Counts(insertions=1), *some_counts(3)]
    low, high = interval(counts).bounds
    assert np.isfinite([low, high]).all()


def test_what_cannot_be_answered_is_refused() -> None:
    with pytest.raises(LasasrError, match="not defined"):
        interval([Counts(insertions=1), Counts()])
    with pytest.raises(ValueError, match=r"as many as counts \(2\), got 1"):
        interval(some_counts(2), clusters=["a"])
    with pytest.raises(ValueError, match="between 0 and 1, got 95"):
        interval(some_counts(2), level=95)
