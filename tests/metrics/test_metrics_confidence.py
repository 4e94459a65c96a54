"""Calibration: the fit against scipy's minimiser, the measures against their definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from lasasr.metrics import confidence

NAMES = ("a", "b", "c")


def drawn(seed: int, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(count, 3)) * [1.0, 5.0, 0.0] + [2.0, -3.0, 7.0]
    p = 1 / (1 + np.exp(-(1.0 + 1.5 * (features[:, 0] - 2.0) - 0.2 * (features[:, 1] + 3.0))))
    return features, draw.random(count) < p


@pytest.mark.parametrize("seed", range(3))
def test_the_fit_is_the_least_penalised_loss(seed: int) -> None:
    features, right = drawn(seed)
    model = confidence.fit(NAMES, features, right)
    spread = features.std(0)
    spread[2] = 1.0
    scaled = (features - features.mean(0)) / spread

    def loss(x: np.ndarray) -> float:
        total = x[0] + scaled @ x[1:]
        return float(np.logaddexp(0.0, np.where(right, -total, total)).sum() + 0.5e-2 * (x[1:] ** 2).sum())

    best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8}).x
    expected = 1 / (1 + np.exp(-(best[0] + scaled @ best[1:])))
    found = [model(dict(zip(NAMES, row, strict=True))) for row in features.tolist()]
    assert found == pytest.approx(expected.tolist(), abs=1e-4)
    assert model.weights["c"] == 0.0  # it never changes
    assert confidence.calibration_error(np.array(found), right) < 0.08
    assert np.mean(found) == pytest.approx(right.mean(), abs=1e-6)  # what a bias guarantees


def test_what_separates_perfectly_has_a_finite_fit_and_one_class_none() -> None:
    features = np.arange(20.0)[:, None].repeat(3, 1)
    model = confidence.fit(NAMES, features, np.arange(20) > 9)
    assert all(np.isfinite(value) for value in (model.bias, *model.weights.values()))
    with pytest.raises(ValueError, match="20 of 20 words are right"):
        confidence.fit(NAMES, features, np.ones(20, dtype=bool))


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    draw = np.random.default_rng(0)
    values, right = draw.integers(0, 6, 50) / 6.0, draw.random(50) < 0.6
    pairs = list(itertools.product(values[right], values[~right]))
    expected = sum(1.0 if good > bad else 0.5 if good == bad else 0.0 for good, bad in pairs) / len(pairs)
    assert confidence.roc_area(values, right) == pytest.approx(expected)
    assert confidence.roc_area(values, np.ones(50, dtype=bool)) is None


def test_calibration_error_and_what_is_kept() -> None:
    values = np.repeat([0.1, 0.9], 50)
    right = np.array([i % 10 == 0 for i in range(50)] + [i % 10 != 0 for i in range(50)])
    assert confidence.calibration_error(values, right) == pytest.approx(0.0, abs=1e-9)
    assert confidence.calibration_error(values, ~right) == pytest.approx(0.8)
    found = confidence.measured(values.tolist(), right.tolist())
    assert (found["words"], found["wrong"]) == (100, 50)
    assert found["kept"][0] == {"share": 1.0, "wrong_percent": 50.0}
    assert found["kept"][-1] == {"share": 0.5, "wrong_percent": 10.0}
    assert found["worst_tenth_holds"] == pytest.approx(100.0 * 9 / 50)
