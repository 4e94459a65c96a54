from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lasasr.metrics.significance.calibration import FEWEST_SPEAKERS, calibrate
from lasasr.metrics.significance.pair import superiority
from lasasr.metrics.significance.scores import Run, System, Utterance, scores


def system(seeds: int, speakers: int, seed_sd: float, seed: int = 0):
    """Counts of Poisson errors of seeds and speakers that differ."""
    generator = np.random.default_rng(seed)
    difficulty = generator.gamma(4.0, 0.25, speakers)
    runs = []
    for number in range(seeds):
        rate = 0.15 * difficulty * np.exp(seed_sd * generator.standard_normal())
        errors = generator.poisson(300 * rate)
        utterances = {f"s{s}": Utterance(int(errors[s]), 300, f"s{s}") for s in range(speakers)}
        runs.append(Run(str(number), utterances))
    return scores(System("x", tuple(runs)))


def test_halves_of_many_seeds_are_called_different_about_as_often_as_the_level_says() -> None:
    called = [calibrate(system(12, 40, 0.1, seed), trials=400) for seed in range(12)]
    share = np.mean([calibration.called["systems"] for calibration in called])
    assert 1.0 <= share <= 6.5
    # other seeds are other models, which the test about runs finds
    assert np.mean([calibration.called["runs"] for calibration in called]) > 3 * share


def test_seeds_that_do_not_differ_are_one_model() -> None:
    called = [calibrate(system(4, 40, 0.0, seed), trials=400).called["runs"] for seed in range(12)]
    assert np.mean(called) <= 6.5


def test_what_is_divided() -> None:
    halved = calibrate(system(5, 30, 0.1), trials=50)
    assert (halved.groups, halved.splits, halved.speakers, halved.trials) == ((2, 3), 10, 15, 50)
    few = calibrate(system(4, FEWEST_SPEAKERS - 1, 0.1))
    assert (few.groups, few.splits, few.speakers, few.trials) == ((2, 2), 3, FEWEST_SPEAKERS - 1, 3)
    assert calibrate(system(3, 20, 0.1)).called["systems"] is None  # one seed against two
    assert calibrate(system(1, 20, 0.1)) is None
    assert calibrate(system(4, 1, 0.1)) is None


def test_equal_seeds_draw_equal_trials() -> None:
    assert calibrate(system(4, 20, 0.1)) == calibrate(system(4, 20, 0.1))


@pytest.mark.parametrize("counts", [(2, 2), (3, 7), (5, 4)])
def test_superiority_is_mann_whitneys(counts: tuple[int, int]) -> None:
    generator = np.random.default_rng(sum(counts))
    first, second = (generator.integers(10, 16, count).astype(float) for count in counts)
    u = stats.mannwhitneyu(second, first).statistic  # counts the pairs in which the first argument is higher
    assert superiority(first, second) == pytest.approx(u / (counts[0] * counts[1]))
    assert superiority(second, first) == pytest.approx(1.0 - superiority(first, second))


def test_one_seed_has_no_superiority() -> None:
    assert superiority(np.array([1.0]), np.array([2.0, 3.0])) is None


def test_speakers_with_empty_references_take_no_part() -> None:
    table = system(4, 20, 0.1)
    padded = replace(
        table,
        speakers=(*table.speakers, *(f"z{n}" for n in range(15))),
        speaker_of=np.append(table.speaker_of, np.arange(20, 35)),
        lengths=np.append(table.lengths, np.zeros(15, dtype=np.int64)),
        errors=np.hstack([table.errors, np.ones((4, 15), dtype=np.int64)]),
    )
    assert calibrate(padded, trials=50) == calibrate(table, trials=50)
