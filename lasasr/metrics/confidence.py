"""How far the confidence of words can be believed: fitted, and measured against which of them are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BINS = 10  # of the calibration error, of equally many words
SHARES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)  # of the words that are kept, the surest first
_RIDGE = 1e-2  # on standardised features: what separates right from wrong perfectly would have no finite fit
_STEPS = 50


class Logistic(NamedTuple):
    """p(right) = 1 / (1 + exp(−(bias + Σ weight · feature)))."""

    bias: float
    weights: Mapping[str, float]  # by the name of the feature

    def __call__(self, features: Mapping[str, float]) -> float:
        """The confidence, in [0, 1]."""
        total = self.bias + sum(weight * features[name] for name, weight in self.weights.items())
        return float(1.0 / (1.0 + np.exp(-np.clip(total, -30.0, 30.0))))


def fit(names: Sequence[str], features: Floats, right: NDArray[np.bool_]) -> Logistic:
    """The logistic regression of `right` (N,) on features (N, F), by Newton's method, with a weak ridge.

    A feature that never changes has weight 0.

    Raises:
        ValueError: all are right, or all are wrong.
    """
    if right.all() or not right.any():
        raise ValueError(f"{right.sum()} of {len(right)} words are right: nothing can be told apart")
    mean, spread = features.mean(0), features.std(0)
    varies = spread > 1e-9
    scaled = np.where(varies, (features - mean) / np.where(varies, spread, 1.0), 0.0)
    design = np.concatenate([np.ones((len(scaled), 1)), scaled], 1)
    ridge = np.diag([0.0, *([_RIDGE] * features.shape[1])])
    solution = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        expected = 1.0 / (1.0 + np.exp(-np.clip(design @ solution, -30.0, 30.0)))
        gradient = design.T @ (expected - right) + ridge @ solution
        curvature = (design * (expected * (1.0 - expected))[:, None]).T @ design + ridge + 1e-12 * np.eye(len(ridge))
        step = np.linalg.solve(curvature, gradient)
        solution = solution - step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    weights = np.where(varies, solution[1:] / np.where(varies, spread, 1.0), 0.0)
    return Logistic(float(solution[0] - weights @ mean), dict(zip(names, weights.tolist(), strict=True)))


def calibration_error(confidences: Floats, right: NDArray[np.bool_]) -> float:
    """Σ over bins of equally many words: share of the words · |mean confidence − share that is right|."""
    order = np.argsort(confidences, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    gaps = [len(part) * abs(confidences[part].mean() - right[part].mean()) for part in bins]
    return float(sum(gaps) / len(confidences))


def roc_area(confidences: Floats, right: NDArray[np.bool_]) -> float | None:
    """The probability that a right word has more confidence than a wrong one, ties half; None without one of both."""
    good, bad = confidences[right], np.sort(confidences[~right])
    if not len(good) or not len(bad):
        return None
    below, upto = np.searchsorted(bad, good, "left"), np.searchsorted(bad, good, "right")
    return float((below + upto).sum() / (2.0 * len(good) * len(bad)))


def kept(confidences: Floats, right: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Which share of the words is wrong where only so many are kept, the surest first."""
    surest = np.argsort(-confidences, kind="stable")
    rows = []
    for share in SHARES:
        count = max(1, round(share * len(surest)))
        rows.append({"share": share, "wrong_percent": float(100.0 * (~right[surest[:count]]).mean())})
    return rows


def measured(confidences: Sequence[float], right: Sequence[bool]) -> dict[str, Any]:
    """What results say of the confidence of words: `worst_tenth_holds` is of the wrong words, in percent."""
    values, good = np.array(confidences), np.array(right, dtype=bool)
    worst = np.argsort(values, kind="stable")[: max(1, round(len(values) / 10))]
    wrong = int((~good).sum())
    return {
        "words": len(values),
        "wrong": wrong,
        "calibration_error": calibration_error(values, good),
        "roc_area": roc_area(values, good),
        "worst_tenth_holds": 100.0 * float((~good[worst]).sum()) / wrong if wrong else None,
        "kept": kept(values, good),
    }
