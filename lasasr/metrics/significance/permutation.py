"""Tests that assume no distribution, the smallest p they can reach, and p for many tests at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

EXACT = 16  # units up to which all 2^n signs are tried
DRAWS = 20_000
MOST_FLIPPED = 1_000  # units, above which those of equal size are drawn together
_AT_ONCE = 2_000_000  # signs held in memory


@dataclass(frozen=True)
class SignFlip:
    """The result of the sign-flip test."""

    p: float  # two-sided
    least: float  # the smallest p that so many units can give
    method: str


def sign_flip(differences: NDArray[np.int64], draws: int = DRAWS, seed: int = 0) -> SignFlip:
    """Paired permutation test of Σ differences (n,), one per speaker (Fisher 1935, "The Design of Experiments", §21).

    If neither system is better, each speaker's difference is as likely to have the other sign. p is the share of all
    2^n signs with |Σ ±d| ≥ |Σ d|; above 16 speakers `draws` of them are drawn and p = (1 + hits)/(1 + draws) (Phipson
    and Smyth 2010, "Permutation p-values should never be zero"). Integers, so that ties are exact.

    Raises:
        ValueError: nothing to flip, or differences that are not integers.
    """
    if not len(differences) or differences.dtype.kind != "i":
        raise ValueError(f"differences must be integers and not empty, got {differences.dtype} {differences.shape}")
    n = len(differences)
    observed = abs(int(differences.sum()))
    least = least_sign_flip(n)
    if n <= EXACT:
        sums = np.zeros(1, dtype=np.int64)
        for difference in differences:
            sums = np.concatenate([sums + difference, sums - difference])
        p = float((np.abs(sums) >= observed).mean())
        return SignFlip(p, least, f"exact sign flips of {n} speakers")
    hits = int((np.abs(_flipped_sums(differences, draws, seed)) >= observed).sum())
    return SignFlip((1 + hits) / (1 + draws), least, f"{draws} random sign flips of {n} speakers, seed {seed}")


def _flipped_sums(differences: NDArray[np.int64], draws: int, seed: int) -> NDArray[np.int64]:
    """Σ ±d (draws,) with random signs; many units of equal size are drawn together: of n, a binomial number is +."""
    generator = np.random.default_rng(seed)
    if len(differences) > MOST_FLIPPED:
        sizes, occurrences = np.unique(np.abs(differences), return_counts=True)
        positive = generator.binomial(occurrences, 0.5, size=(draws, len(sizes)))
        together: NDArray[np.int64] = (2 * positive - occurrences) @ sizes
        return together
    rows = max(1, _AT_ONCE // len(differences))
    sums = []
    for done in range(0, draws, rows):
        signs = 2 * generator.integers(2, size=(min(rows, draws - done), len(differences))) - 1
        sums.append(signs @ differences)
    return np.concatenate(sums)


def least_sign_flip(speakers: int) -> float:
    """The smallest two-sided p of signs alone, 2/2^n: 0.125 with four speakers."""
    return 2.0 ** (1 - speakers) if speakers else 1.0


def least_exchange(first: int, second: int) -> float:
    """The smallest two-sided p of which run belongs to which system, 2/C(M_1 + M_2, M_1): 0.1 with three against three.

    (With one run against one it is 1.)
    """
    return min(1.0, 2.0 / comb(first + second, first))


def holm(p: Sequence[float | None]) -> list[float | None]:
    """p adjusted for that many tests: max_{j ≤ i} min(1, (k − j + 1)·p_(j)), p_(1) ≤ ... ≤ p_(k).

    Holm 1979 ("A simple sequentially rejective multiple test procedure", Scand. J. Statistics 6): the chance of any
    false difference among all tests stays at the level, whatever their dependence. A test without a p (None)
    counts as 1.
    """
    order = sorted(range(len(p)), key=lambda index: _one_if_none(p[index]))
    adjusted: list[float | None] = [None] * len(p)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * _one_if_none(p[index])))
        adjusted[index] = None if p[index] is None else highest
    return adjusted


def _one_if_none(p: float | None) -> float:
    return 1.0 if p is None else p
