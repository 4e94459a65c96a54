"""Variances that help each other: pooled where systems are alike, their own where one of them is not."""

import numpy as np
import pytest
from scipy import special

from lasasr.metrics.significance.mixed import VarianceParts, variance_parts
from lasasr.metrics.significance.moderated import SeedSpread, moderated, with_spread


def drawn(sds: np.ndarray, seeds: int, seed: int) -> SeedSpread:
    generator = np.random.default_rng(seed)
    variance = (sds[..., None] * generator.normal(size=(*sds.shape, seeds))).var(-1, ddof=1)
    return SeedSpread(variance, np.full(sds.shape, seeds - 1.0), np.full(sds.shape, 15.0))


def test_where_spreads_are_alike_all_seeds_count() -> None:
    spread = SeedSpread(np.array([0.5, 0.6, 0.55, 0.45]), np.full(4, 3.0), np.full(4, 15.0))
    of_all = moderated(spread)
    assert of_all.variance == pytest.approx(0.75 * spread.variance.mean() + 0.25 * spread.variance)
    assert of_all.df == pytest.approx(np.full(4, 12.0))


def test_a_variance_grows_with_the_square_of_the_rate() -> None:
    rate = np.array([10.0, 20.0, 30.0])
    of_all = moderated(SeedSpread((0.05 * rate) ** 2, np.full(3, 3.0), rate))
    assert of_all.variance == pytest.approx((0.05 * rate) ** 2)


def test_the_prior_is_found_again_where_variances_differ() -> None:
    """Variances drawn from s₀²·d₀/χ²(d₀): the moderated ones are nearer to the truth than each alone or the mean."""
    generator = np.random.default_rng(1)
    truth = 0.6 * 4.0 / generator.chisquare(4.0, size=(400, 30))
    spread = drawn(np.sqrt(truth), 4, seed=2)
    of_all = moderated(spread)

    def wrong(estimate: np.ndarray) -> float:
        return float(np.abs(np.log(estimate / truth)).mean())

    assert wrong(of_all.variance) < 0.85 * wrong(spread.variance)
    assert wrong(of_all.variance) < 0.85 * wrong(np.broadcast_to(spread.variance.mean(1, keepdims=True), truth.shape))
    assert np.median(of_all.df - 3.0) == pytest.approx(4.0, abs=1.0)


def test_one_unlike_system_keeps_most_of_its_own_variance() -> None:
    sds = np.full((300, 8), 0.5)
    sds[:, 0] = 5.0
    of_all = moderated(drawn(sds, 8, seed=3))
    assert np.median(of_all.variance[:, 0]) > 0.6 * 25.0
    assert np.median(of_all.df[:, 0]) < 20.0  # of the 56 that all have together


def test_the_degrees_of_freedom_are_at_most_those_of_all() -> None:
    spread = SeedSpread(np.array([0.5, 0.5, 0.5]), np.array([7.0, 3.0, 1.0]), np.full(3, 15.0))
    assert moderated(spread).df == pytest.approx([11.0, 11.0, 11.0])


def test_seeds_that_are_alike_to_the_last_error_give_a_number() -> None:
    of_all = moderated(SeedSpread(np.array([0.0, 0.0, 0.3]), np.full(3, 3.0), np.array([0.0, 12.0, 15.0])))
    assert np.isfinite(of_all.variance).all()
    assert (of_all.variance > 0.0).all()


def test_one_system_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 systems, got 1"):
        moderated(SeedSpread(np.array([0.5]), np.array([3.0]), np.array([15.0])))


def parts(seeds: int) -> VarianceParts:
    generator = np.random.default_rng(5)
    sides = [100.0 + 10.0 * generator.normal(size=(seeds, 1)) + generator.normal(size=(seeds, 20)) for _ in range(2)]
    return variance_parts(sides, np.full(20, 500.0), (1.0, -1.0))


def test_a_pair_with_its_own_spread_is_what_it_was() -> None:
    own = parts(4)
    assert own.seeds is not None
    generator = np.random.default_rng(5)
    sides = [100.0 + 10.0 * generator.normal(size=(4, 1)) + generator.normal(size=(4, 20)) for _ in range(2)]
    spreads = [(100.0 * side.sum(1) / 10_000.0).var(ddof=1) for side in sides]
    again = with_spread(own, *((np.array(spread), np.array(3.0)) for spread in spreads))
    assert again.seeds is not None
    assert float(again.seeds.variance) == pytest.approx(float(own.seeds.variance))
    assert float(again.seeds.welch_df) == pytest.approx(float(own.seeds.welch_df))


def test_the_prior_solves_the_equation_of_trigamma() -> None:
    """By its definition, on spreads whose logarithms vary by a known amount beyond chance."""
    logs = np.array([-1.0, 0.0, 1.0, 2.0])
    spread = SeedSpread(np.exp(logs), np.full(4, 9.0), np.ones(4))
    of_all = moderated(spread)
    beyond = logs.var(ddof=1) - special.polygamma(1, 4.5)
    assert special.polygamma(1, 0.5 * (of_all.df[0] - 9.0)) == pytest.approx(beyond, rel=1e-3)
