"""A race keeps its level over all looks and pairs, drops what is worse, and stops where nothing can be shown."""

import numpy as np
import pytest
from scipy import stats

from lasasr.metrics.significance.mixed import VarianceParts, variance_parts
from lasasr.metrics.significance.permutation import holm
from lasasr.metrics.significance.planning import designed
from lasasr.metrics.significance.race import PairTest, RaceDesign, RaceState, look_seeds, race_p, take_look
from lasasr.metrics.significance.race_step import Evidence, adjusted, hope, step
from lasasr.metrics.significance.sequential import boundaries, last_boundary, level_of

FRACTIONS = (0.5, 0.625, 0.75, 0.875, 1.0)
DESIGN = RaceDesign((4, 6, 8), points=1.0)


def random_walks(fractions: tuple[float, ...], count: int, seed: int) -> np.ndarray:
    """z (count, looks) of sums of independent normal increments without a drift."""
    increments = np.diff([0.0, *fractions]) ** 0.5
    generator = np.random.default_rng(seed)
    return (generator.normal(size=(count, len(fractions))) * increments).cumsum(1) / np.sqrt(fractions)


def test_the_boundaries_are_left_as_often_as_the_level_says() -> None:
    z = random_walks(FRACTIONS, 400_000, seed=1)
    p = 2.0 * stats.norm.sf(np.abs(z))
    crossed = p <= np.array(boundaries(0.05, FRACTIONS))
    assert crossed.any(1).mean() == pytest.approx(0.05, abs=0.0015)
    for look, fraction in enumerate(FRACTIONS):  # by each look what the function spends
        assert crossed[:, : look + 1].any(1).mean() == pytest.approx(0.05 * fraction**2, abs=0.0012)


def test_one_look_is_the_test_itself() -> None:
    assert boundaries(0.03, [1.0]) == [pytest.approx(0.03, rel=1e-6)]
    assert level_of(np.array(0.03), 0, (1.0,)) == pytest.approx(0.03, rel=1e-3)


def test_the_level_of_a_boundary_is_the_level() -> None:
    for level in (1e-5, 0.002, 0.05, 0.4):
        for look, bound in enumerate(boundaries(level, FRACTIONS)):
            assert level_of(np.array(bound), look, FRACTIONS) == pytest.approx(level, rel=0.02)
        assert last_boundary(np.array(level), FRACTIONS) == pytest.approx(bound, rel=0.02)
    assert level_of(np.array(1.0), 0, FRACTIONS) == 1.0


@pytest.mark.parametrize("wrong", [(), (0.5,), (0.5, 0.5, 1.0), (0.0, 1.0), (0.5, 1.5)])
def test_fractions_that_do_not_ascend_to_one_are_refused(wrong: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="fractions must ascend"):
        boundaries(0.05, wrong)


def test_a_level_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        boundaries(1.0, FRACTIONS)


def test_the_looks_end_with_the_most_seeds() -> None:
    assert look_seeds(4, 8) == (4, 5, 6, 7, 8)
    assert look_seeds(4, 9, step=2) == (4, 6, 8, 9)
    assert look_seeds(4, 4) == (4,)


def parts(seeds: int, points: float, seed_sd: float = 0.3, speakers: int = 40, seed: int = 1) -> VarianceParts:
    """Of two systems with normal seeds whose rates differ by exactly `points` on average."""
    generator = np.random.default_rng(seed)
    sides = []
    for shift in (0.0, -points):
        spread = generator.normal(size=(seeds, 1))
        of_seeds = seed_sd * (spread - spread.mean())
        of_speakers = 0.2 * generator.normal(size=(1, speakers))
        sides.append((20.0 + shift + of_seeds + of_speakers - of_speakers.mean()) * np.full((seeds, speakers), 5.0))
    return variance_parts(sides, np.full(speakers, 500.0), (1.0, -1.0))


def pair_test(seeds: int, points: float, **options: float) -> PairTest:
    of = parts(seeds, points, **options)  # type: ignore[arg-type]
    return PairTest(float(of.estimate), float(race_p(of)), of)


def test_a_worse_system_leaves_and_one_that_is_near_goes_on() -> None:
    state = RaceState(["a", "b", "c"])
    tests = {("a", "b"): pair_test(4, -0.5), ("a", "c"): pair_test(4, -8.0), ("b", "c"): pair_test(4, -7.5)}
    take_look(DESIGN, state, 0, {"a": 20.0, "b": 20.5, "c": 28.0}, tests)
    assert state.left["c"] == ("worse", "a", 0)
    assert state.racing == ["a", "b"]
    assert state.adjusted()["c", "a"] <= 0.05 < state.adjusted()["b", "a"]
    assert state.adjusted()["a", "c"] == 1.0  # the better one is not called worse


def test_what_was_found_stays_found_when_later_looks_are_less_sure() -> None:
    state = RaceState(["a", "b"])
    take_look(RaceDesign((4, 6, 8), 5.0), state, 0, {"a": 20.0, "b": 21.0}, {("a", "b"): pair_test(4, -1.0)})
    before = state.levels["b", "a"]
    take_look(RaceDesign((4, 6, 8), 5.0), state, 1, {"a": 20.0, "b": 20.01}, {("a", "b"): pair_test(6, -0.01)})
    assert state.levels["b", "a"] == before


def test_a_system_without_a_result_is_lost_and_one_that_cannot_be_tested_stays() -> None:
    state = RaceState(["a", "b", "c"])
    take_look(DESIGN, state, 0, {"a": 20.0, "b": 20.5}, {("a", "b"): PairTest(-0.5, None, None)})
    assert state.left == {"c": ("lost", None, 0)}
    assert state.racing == ["a", "b"]


def test_the_last_look_ends_it() -> None:
    state = RaceState(["a", "b"])
    take_look(DESIGN, state, 2, {"a": 20.0, "b": 20.1}, {("a", "b"): pair_test(8, -0.1)})
    assert state.left["b"] == ("no difference", "a", 2)


def one_pair(test: PairTest, looks: tuple[int, ...]) -> Evidence:
    assert test.parts is not None
    here, last = designed(test.parts, looks[0]), designed(test.parts, looks[-1])
    values = test.points, test.p, here.variance, last.variance, last.df
    return Evidence(*(np.asarray(value, dtype=np.float64) for value in values))


def test_hope_is_how_often_the_last_look_shows_it() -> None:
    """Against simulation: many last looks that begin with the same seeds and go on with a true difference."""
    first = pair_test(4, -0.4, seed_sd=0.5)
    looks, level = (4, 8), np.array(0.05)
    stated = float(hope((0.5, 1.0), 0, 0.8, level, one_pair(first, looks)))
    of = first.parts
    assert of is not None
    assert of.seeds is not None
    sd = np.sqrt(4 * float(of.seeds.variance) / 2.0)  # of a seed: Σ s²/4 = variance
    generator = np.random.default_rng(2)
    later = 0.8 + sd * np.sqrt(2.0 / 4.0) * generator.normal(size=200_000)
    last = 0.5 * (0.4 + later)
    variance = float(of.speakers) + float(of.seeds.excess) / 2.0
    bound = stats.t.isf(boundaries(0.05, (0.5, 1.0))[-1] / 2.0, 14) * np.sqrt(variance)
    assert (last >= bound).mean() == pytest.approx(stated, abs=0.05)
    hopeless = one_pair(pair_test(4, -0.4, seed_sd=3.0), looks)
    assert hope((0.5, 1.0), 0, 0.8, level, hopeless) < 0.1 < stated
    assert hope((0.5, 1.0), 1, 0.8, level, one_pair(first, looks)) == 0.0


def closed_test(levels: np.ndarray, alpha: float) -> set[int]:
    """The systems that are in no set of best ones that is kept (Marcus, Peritz and Gabriel 1976)."""
    systems = len(levels)
    one_sided = 0.5 * (systems - 1) * levels.min(1)
    subsets = [[index for index in range(systems) if bits >> index & 1] for bits in range(1, 2**systems)]
    kept = [subset for subset in subsets if len(subset) * one_sided[subset].min() > alpha]
    return {index for index in range(systems) if not any(index in subset for subset in kept)}


def test_the_adjustment_is_the_closed_test_of_all_sets_of_best_systems() -> None:
    generator = np.random.default_rng(3)
    for _ in range(200):
        levels = generator.random((5, 5)) ** 6
        np.fill_diagonal(levels, 1.0)
        p = adjusted(levels)
        for alpha in (0.01, 0.05, 0.3):
            assert set(np.flatnonzero(p.min(1) <= alpha)) == closed_test(levels, alpha)


def test_the_adjusted_p_of_a_pair_are_those_of_holm_for_systems() -> None:
    levels = np.ones((3, 3))
    levels[1, 0], levels[2, 0], levels[2, 1] = 0.01, 0.002, 0.02
    p = adjusted(levels)
    assert p.min(1) == pytest.approx(holm([1.0, 0.01, 0.002]))
    assert p[2, 1] == pytest.approx(max(2 * 0.02, 0.01 * 3))  # were it the only evidence, 1 would come first
    assert p[0, 1] == p[0, 2] == 1.0


def test_two_systems_have_the_p_of_their_one_pair() -> None:
    levels = np.ones((2, 2))
    levels[1, 0] = 0.03
    assert adjusted(levels)[1, 0] == pytest.approx(0.03)


def test_equal_systems_are_told_apart_in_at_most_five_percent_of_the_races() -> None:
    """Normal estimates of five equal systems at three looks, without futility: the level of the claims alone."""
    races, systems, fractions = 4_000, 5, (0.5, 0.75, 1.0)
    generator = np.random.default_rng(4)
    steps = generator.normal(size=(races, 3, systems)) * np.sqrt(np.diff([0.0, *fractions]))[:, None]
    means = steps.cumsum(1) / np.array(fractions)[:, None]
    levels, racing = np.ones((races, systems, systems)), np.ones((races, systems), dtype=bool)
    for look, fraction in enumerate(fractions):
        points = means[:, look, :, None] - means[:, look, None, :]
        p = 2.0 * stats.norm.sf(np.abs(points) * np.sqrt(fraction / 2.0))
        variance = np.full_like(points, 2.0 / fraction)
        evidence = Evidence(points, p, variance, np.full_like(points, 2.0), np.full_like(points, 1e6))
        result = step(fractions, look, 0.05, 100.0, levels, racing, means[:, look], evidence)
        levels, racing = result.levels, racing & ~result.worse
    wrong = (adjusted(levels) <= 0.05).any((1, 2)).mean()
    assert 0.02 < wrong < 0.055  # Bonferroni's, of ten correlated pairs
