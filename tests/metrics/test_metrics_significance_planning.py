"""A plan's power is that of the test of the verdict on simulated comparisons."""

import numpy as np
import pytest
from scipy import stats

from lasasr.metrics.significance.detectable import more_seeds, more_speakers
from lasasr.metrics.significance.mixed import VarianceParts, p_value, system_uncertainty, variance_parts
from lasasr.metrics.significance.planning import (
    design,
    designed,
    detectable_difference,
    enough_seeds,
    never_below,
    power_of,
    published,
    seed_variance_limit,
)

WORDS = 500


def simulated(
    seed_sd: float, speaker_sd: float, speakers: int, seeds: int, points: float, comparisons: int, seed: int
) -> VarianceParts:
    """Normal seeds and speakers, in points; every speaker says as much."""
    generator = np.random.default_rng(seed)
    shape = (comparisons, seeds, speakers)
    sides = []
    for shift in (0.0, points):
        rate = 20.0 + shift + seed_sd * generator.normal(size=(comparisons, seeds, 1))
        rate = rate + speaker_sd / np.sqrt(2.0) * generator.normal(size=(comparisons, 1, speakers))
        sides.append(np.broadcast_to(rate, shape) * WORDS / 100.0)
    return variance_parts(sides, np.full((comparisons, speakers), WORDS), (1.0, -1.0))


def found(parts: VarianceParts) -> float:
    """The share of the comparisons in which the second is called worse."""
    return float(((p_value(parts.estimate, system_uncertainty(parts)) <= 0.05) & (parts.estimate < 0.0)).mean())


@pytest.mark.parametrize(
    ("seed_sd", "speaker_sd", "speakers", "seeds"),
    [(0.5, 2.0, 40, 4), (0.3, 3.0, 20, 6), (1.0, 1.0, 30, 8), (0.0, 2.0, 12, 4)],
)
def test_the_planned_power_is_that_of_the_test(seed_sd: float, speaker_sd: float, speakers: int, seeds: int) -> None:
    parts = published(seed_sd, speaker_sd, speakers)
    for points in (0.6 * design(parts, seeds, 1.0).detectable, design(parts, seeds, 1.0).detectable):
        planned = design(parts, seeds, points).power
        shares = found(simulated(seed_sd, speaker_sd, speakers, seeds, points, 4_000, seed=1))
        assert shares == pytest.approx(planned, abs=0.035)


@pytest.mark.parametrize("pilot_seeds", [2, 4])
def test_a_plan_from_a_pilot_is_on_average_that_from_the_truth(pilot_seeds: int) -> None:
    """The variances of many pilots, averaged, plan as the true ones do."""
    pilots = simulated(0.8, 2.0, 40, pilot_seeds, 0.0, 4_000, seed=2)
    assert pilots.seeds is not None
    spread = pilots.seeds._replace(
        variance=pilots.seeds.variance.mean(), residual=pilots.seeds.residual.mean(), welch_df=np.float64(np.inf)
    )
    mean = pilots._replace(speakers=pilots.speakers.mean(), speakers_df=np.float64(39.0), seeds=spread)
    truth = published(0.8, 2.0, 40)
    for seeds in (4, 8, 20):
        expected = design(truth, seeds, 1.0).detectable
        assert detectable_difference(designed(mean, seeds)) == pytest.approx(expected, rel=0.03)


def test_the_power_at_the_detectable_difference_is_the_required_one() -> None:
    for power in (0.6, 0.8, 0.95):
        here = designed(published(0.5, 2.0, 40), 5)
        assert power_of(here, detectable_difference(here, power=power)) == pytest.approx(power, abs=0.01)


@pytest.mark.parametrize(("pilot_seeds", "speakers", "seeds"), [(2, 40, 4), (2, 40, 8), (4, 20, 8)])
def test_a_plan_from_one_pilot_has_the_power_that_it_states(pilot_seeds: int, speakers: int, seeds: int) -> None:
    """Each pilot states a difference; comparisons with just that difference find it as often as they should."""
    pilots = simulated(0.8, 3.0, speakers, pilot_seeds, 0.0, 2_000, seed=4)
    assert pilots.seeds is not None
    points = []
    for index in range(2_000):
        fields = {name: getattr(pilots.seeds, name)[index] for name in ("variance", "residual")}
        spread = pilots.seeds._replace(**fields, welch_df=np.float64(2.0 * (pilot_seeds - 1)))
        parts = VarianceParts(np.float64(0.0), pilots.speakers[index], np.float64(speakers - 1), spread)
        points.append(detectable_difference(designed(parts, seeds)))
    truth = designed(published(0.8, 3.0, speakers), seeds)
    assert np.mean([power_of(truth, stated) for stated in points]) == pytest.approx(0.8, abs=0.035)


def test_expected_power_and_detectable_difference_agree() -> None:
    parts = published(0.5, 2.0, 40)
    assert parts.seeds is not None
    for df in (2.0, 6.0, 40.0):
        here = designed(parts._replace(seeds=parts.seeds._replace(welch_df=np.float64(df))), 5)
        for power in (0.6, 0.8, 0.95):
            assert power_of(here, detectable_difference(here, power=power)) == pytest.approx(power, abs=0.02)


def test_power_is_that_of_scipys_noncentral_t() -> None:
    here = designed(published(0.4, 2.0, 30), 4)
    df, shift = float(here.df), 1.3 / np.sqrt(float(here.variance))
    expected = stats.nct.sf(stats.t.ppf(0.975, df), df, shift)
    assert power_of(here, 1.3) == pytest.approx(expected)


def test_the_variance_of_a_design_is_the_formula() -> None:
    """V = speaker variance / N + Σ seed variance / M."""
    for seeds, times in ((2, 1.0), (7, 1.0), (3, 4.0)):
        variance = designed(published(0.5, 2.0, 40), seeds, times).variance
        assert variance == pytest.approx(4.0 / (40 * times) + 2 * 0.25 / seeds)


def test_enough_seeds_are_the_fewest() -> None:
    parts = published(0.5, 2.0, 40)
    seeds = enough_seeds(parts, 1.2, 4)
    assert seeds is not None
    assert seeds > 4
    assert design(parts, seeds, 1.2).detectable <= 1.2 < design(parts, seeds - 1, 1.2).detectable
    assert enough_seeds(parts, 0.5, 4) is None
    assert never_below(parts) > 0.5


def test_enough_speakers_are_the_fewest() -> None:
    parts = published(0.5, 4.0, 40)
    times = design(parts, 6, 1.2).speakers_times
    assert times is not None
    assert detectable_difference(designed(parts, 6, times)) == pytest.approx(1.2, rel=1e-3)
    assert design(published(2.0, 1.0, 40), 4, 0.5).speakers_times is None


def test_scaling_back_and_forth_is_the_identity() -> None:
    parts = published(0.5, 2.0, 40)
    again = more_seeds(more_seeds(more_speakers(more_speakers(parts, 3.0), 1 / 3.0), 2.5), 0.4)
    assert again.speakers == pytest.approx(parts.speakers)
    assert again.seeds.variance == pytest.approx(parts.seeds.variance)


def test_the_upper_limit_of_the_seeds_spread_is_above_the_truth_in_four_of_five_pilots() -> None:
    pilots = simulated(1.0, 0.001, 10, 3, 0.0, 5_000, seed=3)
    limits = [
        float(
            seed_variance_limit(
                VarianceParts(
                    *[np.float64(0.0)] * 3,
                    pilots.seeds._replace(
                        variance=pilots.seeds.variance[i], residual=np.float64(0.0), welch_df=np.float64(4.0)
                    ),
                )
            ).seeds.variance
        )
        for i in range(0, 5_000, 5)
    ]
    assert np.mean(np.array(limits) >= 2.0 / 3.0) == pytest.approx(0.8, abs=0.04)
