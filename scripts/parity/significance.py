"""Tests of differences."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lasasr.metrics.significance import mixed
from lasasr.metrics.significance.mapsswe import Mapsswe, mapsswe
from lasasr.metrics.significance.permutation import holm, sign_flip
from parity import sctk, texts
from parity.check import Check, NotReproduced

SPEAKERS, SEED = 12, 1
DIGITS = 5.1e-4  # what sc_stats leaves of a number that it prints to three decimals


def checks() -> list[Check | NotReproduced]:
    """Statistics and p values."""
    alignments = "on sclite's alignments"
    return [
        Check("MAPSSWE: number of segments", "sctk", _segments, alignments, 0.0),
        Check("MAPSSWE: mean difference", "sctk", _mean, f"{alignments}; it prints three decimals", DIGITS),
        Check("MAPSSWE: z", "sctk", _z, f"{alignments}; it prints three decimals", DIGITS),
        Check("Holm's adjusted p", "statsmodels", _holm, "`multipletests`, families of 1 to 20 tests"),
        Check(
            "variance over speakers (CR2)",
            "statsmodels",
            _cr2,
            "HC2 of the weighted mean: with one row per speaker both are the same estimator",
        ),
        Check("sign flips of 12 speakers", "SciPy", _permutation, "`permutation_test`, all 4096 signs"),
        Check("equal speakers, one run each: p", "SciPy", _paired, "`ttest_rel` over speakers"),
        Check("runs that differ on all speakers alike: p", "SciPy", _welch, "`ttest_ind` of the runs, Welch's"),
        Check("degrees of freedom over speakers", "NumPy", _df, "(E V)²·2 / Var V of the estimator's matrix"),
    ]


def _ours() -> Mapsswe:
    pairs = sctk.alignments(texts.report())
    return mapsswe(zip(pairs[: texts.UTTERANCES], pairs[texts.UTTERANCES :], strict=True))


def _theirs() -> sctk.MatchedPairs:
    return sctk.matched_pairs(texts.report())


def _segments() -> float:
    return float(abs(_ours().segments - _theirs().segments))


def _mean() -> float:
    ours = _ours().difference
    return float("nan") if ours is None else abs(ours - _theirs().mean)


def _z() -> float:
    ours = _ours().z
    return float("nan") if ours is None else abs(ours - _theirs().z)


def _holm() -> float:
    from statsmodels.stats.multitest import multipletests

    generator = np.random.default_rng(SEED)
    largest = 0.0
    for tests in range(1, 21):
        p = generator.random(tests) ** 3
        theirs = multipletests(p, method="holm")[1]
        largest = max(largest, float(np.abs(np.array(holm(p.tolist()), dtype=np.float64) - theirs).max()))
    return largest


def _speakers() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Reference length and difference of errors of each speaker."""
    generator = np.random.default_rng(SEED)
    return generator.integers(50, 400, SPEAKERS), generator.integers(-12, 20, SPEAKERS)


def _cr2() -> float:
    from statsmodels.regression.linear_model import WLS

    lengths, differences = _speakers()
    rates = 100.0 * differences / lengths
    theirs = WLS(rates, np.ones(SPEAKERS), weights=lengths).fit(cov_type="HC2")
    parts = mixed.variance_parts([(differences + 100)[None], np.full((1, SPEAKERS), 100)], lengths, (1.0, -1.0))
    return max(
        abs(float(parts.estimate) - float(theirs.params[0])),
        abs(float(parts.speakers) - float(theirs.cov_params()[0, 0])),
    )


def _df() -> float:
    """V = dᵀ A d for rates d of independent speakers of variances 1 / w: E V = tr AΣ, Var V = 2 tr (AΣ)²."""
    lengths, _ = _speakers()
    w = lengths / lengths.sum()
    centred = np.eye(SPEAKERS) - np.ones((SPEAKERS, 1)) * w
    matrix = centred.T @ np.diag(w**2 / (1.0 - w)) @ centred @ np.diag(1.0 / w)
    expected = np.trace(matrix) ** 2 / np.trace(matrix @ matrix)
    return abs(float(mixed.clustered_df(w)) - float(expected))


def _permutation() -> float:
    _, differences = _speakers()
    theirs = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    # SciPy doubles the smaller tail; the signs are symmetric, so that both tails are equal
    return max(abs(sign_flip(differences).p - float(theirs.pvalue)), abs(sign_flip(differences).p - _all_signs()))


def _all_signs() -> float:
    _, differences = _speakers()
    signs = np.array(list(product((-1, 1), repeat=SPEAKERS)))
    return float((np.abs(signs @ differences) >= abs(differences.sum())).mean())


def _paired() -> float:
    generator = np.random.default_rng(SEED)
    errors = generator.integers(5, 60, (2, 1, SPEAKERS))
    parts = mixed.variance_parts(list(errors), np.full(SPEAKERS, 200), (1.0, -1.0))
    ours = mixed.p_value(parts.estimate, mixed.run_uncertainty(parts))
    return abs(float(ours) - float(stats.ttest_rel(errors[0, 0], errors[1, 0]).pvalue))


def _welch() -> float:
    generator = np.random.default_rng(SEED)
    rates = [generator.integers(10, 30, 4), generator.integers(12, 30, 6)]
    errors = [np.repeat(system[:, None], SPEAKERS, 1) for system in rates]
    parts = mixed.variance_parts(errors, np.full(SPEAKERS, 100), (1.0, -1.0))
    ours = mixed.p_value(parts.estimate, mixed.system_uncertainty(parts))
    return abs(float(ours) - float(stats.ttest_ind(*rates, equal_var=False).pvalue))
