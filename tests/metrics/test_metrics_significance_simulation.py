"""The promise of docs/statistics.md: how often the verdict's test errs on simulated recognizers."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from lasasr.metrics.significance.bootstrap import paired_bootstrap
from lasasr.metrics.significance.mixed import FEW_SEEDS
from lasasr.metrics.significance.permutation import sign_flip

PATH = Path(__file__).parents[2] / "scripts" / "simulate_significance.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("simulate_significance", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def setting(script: ModuleType, name: str):
    return next(candidate for candidate in script.SETTINGS if candidate.name == name)


def test_equal_systems_are_rarely_called_different_and_detectable_differences_are_found(script: ModuleType) -> None:
    pairs = 400
    measurement = script.measure(setting(script, "20 speakers, 4 seeds"), pairs, seed=5)
    # the promised band, widened by what so few pairs may stray
    low, high = stats.binom.ppf(0.001, pairs, 0.035), stats.binom.ppf(0.999, pairs, 0.065)
    assert low <= measurement.called["systems"] * pairs / 100 <= high
    assert measurement.called["bootstrap, utterances"] > measurement.called["systems"]
    low, high = stats.binom.ppf(0.001, pairs, 0.75), stats.binom.ppf(0.999, pairs, 0.85)
    assert low <= measurement.power * pairs / 100 <= high


def test_the_factors_have_mean_one(script: ModuleType) -> None:
    generator = np.random.default_rng(0)
    simulated = setting(script, "20 speakers")
    drawn = script.simulate(simulated, script.test_sets(simulated, 300, generator), generator, points=3.0)
    rates = [100 * side.mean(1).sum() / drawn.lengths.sum() for side in drawn.systems]
    assert rates == pytest.approx([13.5, 16.5], rel=0.04)


def test_the_script_and_the_package_agree_on_the_other_tests(script: ModuleType) -> None:
    generator = np.random.default_rng(0)
    differences = generator.integers(-4, 6, (5, 9))
    exact = script.sign_flips(differences.astype(float), generator)
    assert exact == pytest.approx([sign_flip(row).p for row in differences])
    ours = [paired_bootstrap(row, np.full(9, 10), 0.95, "utterances").p for row in differences]
    assert script.bootstrap(differences, generator) == pytest.approx(ours, abs=0.05)


@pytest.mark.slow
def test_the_promise_holds(script: ModuleType) -> None:
    for number, tested in enumerate(script.SETTINGS):
        if tested.name not in script.OUTSIDE and tested.seeds > 1:
            measurement = script.measure(tested, 4000, seed=1 + number)
            few = min(tested.runs) < FEW_SEEDS
            assert (0.0 if few else 3.0) <= measurement.called["systems"] <= 6.0, tested.name
            if not few:
                assert 75.0 <= measurement.power <= 85.0, tested.name
            elif measurement.stated < 90.0 * tested.rate:  # percent points; a larger difference hardly exists
                assert measurement.power >= 70.0, tested.name
