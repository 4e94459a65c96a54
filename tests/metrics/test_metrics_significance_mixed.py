import numpy as np
import pytest
from scipy import stats

from lasasr.metrics.significance.detectable import detectable, more_seeds, more_speakers, needed
from lasasr.metrics.significance.mixed import (
    SeedVariance,
    Uncertainty,
    clustered_df,
    half_width,
    p_value,
    run_uncertainty,
    system_uncertainty,
    variance_parts,
)


def errors(runs: int, speakers: int, seed: int, mean: float = 30.0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(mean, (runs, speakers))


def test_equal_speakers_and_one_run_each_is_the_paired_t_test() -> None:
    first, second, lengths = errors(1, 12, 0), errors(1, 12, 1), np.full(12, 200)
    parts = variance_parts([first, second], lengths, (1.0, -1.0))
    theirs = stats.ttest_rel(first[0] / 2.0, second[0] / 2.0)
    assert parts.seeds is None
    assert parts.speakers_df == pytest.approx(11)
    assert p_value(parts.estimate, run_uncertainty(parts)) == pytest.approx(theirs.pvalue)
    low, high = theirs.confidence_interval()
    half = half_width(run_uncertainty(parts), 0.95)
    assert (parts.estimate - half, parts.estimate + half) == pytest.approx((low, high))


def test_runs_that_differ_on_all_speakers_alike_are_welchs_t_test() -> None:
    generator = np.random.default_rng(0)
    difficulty = np.arange(10)
    first, second = (difficulty + generator.integers(50, 90, (5, 1)) for _ in range(2))
    parts = variance_parts([first, second], np.full(10, 500), (1.0, -1.0))
    theirs = stats.ttest_ind(first.mean(1) / 5.0, second.mean(1) / 5.0, equal_var=False)
    uncertainty = system_uncertainty(parts)
    assert parts.speakers == 0.0
    assert uncertainty.df == pytest.approx(theirs.df)
    assert p_value(parts.estimate, uncertainty) == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize("runs", [(2, 2), (2, 3), (3, 3), (2, 6), (3, 10), (4, 4), (4, 10), (4, 20), (5, 40)])
def test_few_normal_seeds_keep_the_level_where_welchs_test_does_not(runs: tuple[int, int]) -> None:
    """Seeds are all that differs, so that Welch's test by SciPy is the other truth: liberal where runs are unequal."""
    generator, pairs = np.random.default_rng(0), 20_000
    rates = [0.15 + 0.01 * generator.standard_normal((pairs, m)) for m in runs]
    lengths = np.full((pairs, 5), 1000)
    parts = variance_parts([rate[..., None] * lengths[:, None] for rate in rates], lengths, (1.0, -1.0))
    uncertainty = system_uncertainty(parts)
    called = (p_value(parts.estimate, uncertainty) <= 0.05).mean()
    welch = stats.ttest_ind(rates[0], rates[1], axis=1, equal_var=False)
    assert called <= 0.055
    assert (uncertainty.df <= welch.df + 1e-9).all()
    assert (uncertainty.planning_df <= uncertainty.df).all()
    if runs[0] == runs[1]:
        assert uncertainty.df == pytest.approx(welch.df)
    else:
        assert called < (welch.pvalue <= 0.05).mean()


def test_four_normal_seeds_against_many_keep_the_level_beside_speakers() -> None:
    """Speakers and seeds as the model has them, so that nothing but the degrees of freedom can be wrong."""
    generator, pairs, speakers = np.random.default_rng(0), 8_000, 40
    rates = []
    for runs in (4, 20):
        of_system = 0.05 * generator.standard_normal((pairs, 1, speakers))
        of_seed = 0.06 * generator.standard_normal((pairs, runs, 1))
        rates.append(0.5 + of_system + of_seed + 0.06 * generator.standard_normal((pairs, runs, speakers)))
    parts = variance_parts([1e4 * rate for rate in rates], np.full((pairs, speakers), 10_000), (1.0, -1.0))
    assert parts.seeds is not None
    assert (p_value(parts.estimate, system_uncertainty(parts)) <= 0.05).mean() <= 0.055
    # as if Welch's degrees of freedom, and X alone, could be trusted
    below = parts.speakers**2 / parts.speakers_df + parts.seeds.excess * parts.seeds.variance / parts.seeds.welch_df
    variance = parts.speakers + parts.seeds.excess
    trusting = 2 * stats.t.sf(np.abs(parts.estimate) / np.sqrt(variance), variance**2 / below)
    assert (trusting <= 0.05).mean() > 0.06


def test_degrees_of_freedom_of_runs_that_differ_alike() -> None:
    def seeds(*runs: float) -> SeedVariance:
        return SeedVariance(np.array(1.0), np.array(1e9), np.array(0.0), runs)

    equal = np.array([1.0, 1.0])  # variances of single runs
    for runs in ((4, 4), (4, 5), (4, 20), (5, 20), (30, 10)):
        means = equal / runs
        welch = means.sum() ** 2 / (means**2 / (np.array(runs) - 1)).sum()
        assert seeds(*map(float, runs)).df == pytest.approx(welch)
    assert [seeds(*runs).caution for runs in ((5.0,), (5.0, 5.0), (30.0, 10.0))] == [0.0] * 3
    assert [seeds(*runs).caution for runs in ((4.0,), (4.0, 4.0))] == pytest.approx([0.25] * 2)
    assert [seeds(*runs).caution for runs in ((3.0, 3.0), (3.0,), (2.0, 6.0), (4.0, 400.0))] == [1.0] * 4
    assert 0.0 < seeds(5.0, 20.0).caution < 0.25 < seeds(4.0, 10.0).caution < seeds(4.0, 20.0).caution < 1.0


@pytest.mark.parametrize(("runs", "quarters"), [(4, 1), (5, 0)])
def test_many_seeds_count_what_they_add_and_four_a_quarter_more(runs: int, quarters: int) -> None:
    """Welch's degrees of freedom, and of the variance of seeds what they add."""
    first, second = errors(runs, 9, 0), errors(runs, 9, 1) + 7 * np.arange(runs)[:, None]
    parts = variance_parts([first, second], np.full(9, 100), (1.0, -1.0))
    assert parts.seeds is not None
    excess, variance = parts.seeds.variance - parts.seeds.residual, parts.seeds.variance
    counted = excess + quarters / 4 * parts.seeds.residual
    welch = stats.ttest_ind(first.sum(1), second.sum(1), equal_var=False).df
    expected = (parts.speakers + excess) ** 2 / (parts.speakers**2 / 8 + counted * variance / welch)
    assert system_uncertainty(parts).df == pytest.approx(max(expected, min(8.0, welch)))


def test_three_of_four_seeds_are_few() -> None:
    first, second, lengths = errors(4, 9, 0), errors(4, 9, 1), np.full(9, 100)
    parts = variance_parts([first, second], lengths, (1.0, -1.0))
    fewer = variance_parts([first[:3], second], lengths, (1.0, -1.0))
    assert parts.seeds is not None
    assert fewer.seeds is not None
    assert fewer.seeds.few
    assert not parts.seeds.few
    more = more_seeds(fewer, 4 / 3).seeds  # four of the first: no longer few
    assert more is not None
    assert not more.few


def test_balanced_parts_are_the_mean_squares_of_the_analysis_of_variance() -> None:
    M, N = 3, 8
    tables = [errors(M, N, seed) / 2.0 for seed in (0, 1)]  # percent
    parts = variance_parts([2 * table for table in tables], np.full(N, 200), (1.0, -1.0))
    table = np.array(tables)  # (2, M, N)
    grand, system, speaker = table.mean(), table.mean((1, 2)), table.mean((0, 1))
    run, cell = table.mean(2), table.mean(1)
    interaction = sum(M * (cell[v, s] - system[v] - speaker[s] + grand) ** 2 for v in range(2) for s in range(N)) / (
        N - 1
    )
    between_runs = sum(N * (run[v, r] - system[v]) ** 2 for v in range(2) for r in range(M)) / (2 * (M - 1))
    residual = sum(
        (table[v, r, s] - run[v, r] - cell[v, s] + system[v]) ** 2 for v in range(2) for r in range(M) for s in range(N)
    ) / (2 * (M - 1) * (N - 1))
    scale = 2 / (M * N)  # Var of a difference of means per mean square
    assert parts.speakers == pytest.approx(scale * interaction)
    assert parts.seeds is not None
    assert parts.seeds.variance == pytest.approx(scale * between_runs)
    assert parts.seeds.residual == pytest.approx(scale * residual)
    # the quasi-F of Clark 1973
    quasi_f = M * N * ((system - grand) ** 2).sum() / (interaction + max(between_runs - residual, 0.0))
    assert parts.estimate**2 / system_uncertainty(parts).variance == pytest.approx(quasi_f)


def test_degrees_of_freedom_are_those_of_a_quadratic_form() -> None:
    lengths = np.array([30, 80, 10, 50, 200])
    w = lengths / lengths.sum()
    centring = np.eye(5) - np.outer(np.ones(5), w)  # d → d − D
    form = centring.T @ np.diag(w**2 / (1 - w)) @ centring
    covariance = np.diag(1 / lengths)
    expected = np.trace(form @ covariance)
    assert expected == pytest.approx(w @ covariance @ w)  # the estimate is unbiased
    spread = 2 * np.trace(form @ covariance @ form @ covariance)
    assert clustered_df(w) == pytest.approx(2 * expected**2 / spread)


def test_order_of_runs_and_speakers_and_leading_axes_change_nothing() -> None:
    first, second = errors(3, 7, 0), errors(4, 7, 1)
    lengths = np.array([100, 150, 80, 60, 300, 90, 120])
    parts = variance_parts([first, second], lengths, (1.0, -1.0))
    order = np.random.default_rng(0).permutation(7)
    permuted = variance_parts([first[::-1][:, order], second[::-1][:, order]], lengths[order], (1.0, -1.0))
    stacked = variance_parts([np.stack([first] * 2), np.stack([second] * 2)], np.stack([lengths] * 2), (1.0, -1.0))
    for value, permuted_value, three in zip(
        (*system_uncertainty(parts), *run_uncertainty(parts)),
        (*system_uncertainty(permuted), *run_uncertainty(permuted)),
        (*system_uncertainty(stacked), *run_uncertainty(stacked)),
        strict=True,
    ):
        assert value == pytest.approx(permuted_value)
        assert three == pytest.approx(np.array([value, value]))


def test_equal_systems_differ_by_exactly_nothing() -> None:
    first, lengths = errors(3, 7, 0), np.array([101, 153, 87, 61, 307, 91, 127])
    parts = variance_parts([first, first[[2, 0, 1]]], lengths, (1.0, -1.0))
    assert parts.estimate == 0.0
    assert parts.speakers == 0.0
    assert p_value(parts.estimate, system_uncertainty(parts)) == 1.0
    assert p_value(parts.estimate, run_uncertainty(parts)) == 1.0


def test_a_difference_without_spread_has_no_p() -> None:
    lengths = np.array([100, 150, 50])
    parts = variance_parts([0.3 * lengths[None], 0.2 * lengths[None]], lengths, (1.0, -1.0))
    assert np.isnan(p_value(parts.estimate, run_uncertainty(parts)))


def test_a_speaker_without_words_may_have_errors() -> None:
    parts = variance_parts([errors(2, 4, 0), errors(2, 4, 1)], np.array([100, 0, 90, 80]), (1.0, -1.0))
    assert np.isfinite([parts.estimate, *system_uncertainty(parts)]).all()


def test_what_cannot_be_answered_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 speakers, got 1"):
        variance_parts([errors(2, 1, 0)], np.array([10]), (1.0,))
    with pytest.raises(ValueError, match="at least 2 seeds"):
        system_uncertainty(variance_parts([errors(1, 4, 0)], np.full(4, 100), (1.0,)))


def test_at_the_detectable_difference_a_normal_estimate_is_found_with_the_power() -> None:
    generator = np.random.default_rng(0)
    for df in (4, 10, 40):
        variance = 0.5
        points = detectable(Uncertainty(np.array(variance), *[np.array(float(df))] * 2), 0.05, 0.8)
        estimate = points + np.sqrt(variance) * generator.standard_normal(20_000)
        drawn = Uncertainty(variance * generator.chisquare(df, 20_000) / df, *[np.full(20_000, float(df))] * 2)
        assert (p_value(estimate, drawn) <= 0.05).mean() == pytest.approx(0.8, abs=0.02)


def test_many_times_more_of_both_leave_nothing_and_of_one_the_others_part() -> None:
    parts = variance_parts([errors(3, 8, 0), errors(3, 8, 1) + 5 * np.arange(3)[:, None]], np.full(8, 100), (1.0, -1.0))
    assert parts.seeds is not None
    assert system_uncertainty(more_speakers(parts, 1e9)).variance == pytest.approx(parts.seeds.excess, rel=1e-6)
    lasting = max(float(parts.speakers - parts.seeds.residual), 0.0)
    assert system_uncertainty(more_seeds(parts, 1e9)).variance == pytest.approx(lasting, abs=1e-6)
    for more in (more_speakers, more_seeds):
        same = system_uncertainty(more(parts, 1.0))
        assert same.variance == pytest.approx(system_uncertainty(parts).variance)
        assert same.df == pytest.approx(system_uncertainty(parts).df)


def test_as_many_as_needed_suffice_and_one_less_does_not() -> None:
    parts = variance_parts([errors(3, 8, 0), errors(3, 8, 1)], np.full(8, 100), (1.0, -1.0))
    wanted = 0.7 * float(detectable(system_uncertainty(parts)))
    answer = needed(parts, wanted, utterances=80, runs=(3, 3))
    assert answer.utterances is not None
    assert detectable(system_uncertainty(more_speakers(parts, answer.utterances / 80))) <= wanted
    assert detectable(system_uncertainty(more_speakers(parts, (answer.utterances - 1) / 80))) > wanted
    enough = needed(parts, 10 * wanted, utterances=80, runs=(3, 3))
    assert (enough.utterances, enough.seeds) == (80, (3, 3))


def test_no_number_of_utterances_outweighs_seeds_that_differ() -> None:
    parts = variance_parts([errors(3, 8, 0) + 9 * np.arange(3)[:, None], errors(3, 8, 1)], np.full(8, 100), (1.0, -1.0))
    assert needed(parts, 0.5, utterances=80, runs=(3, 3)).utterances is None
    alone = variance_parts([errors(1, 8, 0), errors(1, 8, 1)], np.full(8, 100), (1.0, -1.0))
    assert needed(alone, 0.5, utterances=80, runs=(1, 1)).seeds is None
    with pytest.raises(ValueError, match=r"above 0, got 0\.0"):
        needed(parts, 0.0, utterances=80, runs=(3, 3))
