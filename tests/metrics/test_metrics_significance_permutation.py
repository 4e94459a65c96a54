import itertools

import numpy as np
import pytest
from scipy import stats

from lasasr.metrics.significance.permutation import holm, least_exchange, least_sign_flip, sign_flip


def scipys(differences: np.ndarray, resamples: int) -> float:
    result = stats.permutation_test(
        (differences, np.zeros_like(differences)),
        lambda a, b, axis: (a - b).sum(axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)


@pytest.mark.parametrize("n", [2, 5, 9])
def test_exact_sign_flips_are_scipys(n: int) -> None:
    differences = np.random.default_rng(n).integers(-9, 12, n)
    assert sign_flip(differences).p == pytest.approx(scipys(differences, 10_000))


def test_units_of_equal_size_are_flipped_together(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(3).integers(-3, 4, 15)
    exact = sign_flip(differences).p
    monkeypatch.setattr("lasasr.metrics.significance.permutation.EXACT", 1)
    monkeypatch.setattr("lasasr.metrics.significance.permutation.MOST_FLIPPED", 1)
    assert sign_flip(differences, draws=40_000).p == pytest.approx(exact, abs=0.01)


def test_thousands_of_speakers_have_a_smallest_p() -> None:
    assert least_sign_flip(5_000) == 0.0
    assert sign_flip(np.ones(5_000, dtype=np.int64)).p < 0.001


def test_drawn_sign_flips_are_near_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(3).integers(-9, 13, 12)
    exact = sign_flip(differences)
    monkeypatch.setattr("lasasr.metrics.significance.permutation.EXACT", 4)
    drawn = sign_flip(differences)
    assert "exact" in exact.method
    assert "random" in drawn.method
    assert drawn.p == pytest.approx(exact.p, abs=4 * np.sqrt(exact.p * (1 - exact.p) / 20_000))


def test_drawn_p_is_never_zero_and_repeats() -> None:
    differences = np.full(40, 5)
    assert sign_flip(differences, draws=999).p == pytest.approx(1 / 1000)
    assert sign_flip(np.arange(-20, 21), seed=4) == sign_flip(np.arange(-20, 21), seed=4)


def test_the_least_p_is_that_of_the_clearest_data() -> None:
    for n in range(1, 9):
        assert least_sign_flip(n) == pytest.approx(sign_flip(np.full(n, 3)).p)
    assert least_sign_flip(4) == 0.125
    for a, b in itertools.product(range(2, 5), repeat=2):
        clearest = stats.permutation_test(
            (np.arange(a), 100 + np.arange(b)), lambda x, y: x.mean() - y.mean(), n_resamples=10_000
        )
        assert least_exchange(a, b) == pytest.approx(clearest.pvalue)
    assert (least_exchange(1, 1), least_exchange(1, 2)) == (1.0, pytest.approx(2 / 3))
    assert least_exchange(3, 3) == pytest.approx(0.1)


def test_no_difference_has_p_1() -> None:
    assert sign_flip(np.zeros(6, dtype=int)).p == 1.0
    assert sign_flip(np.array([3, -3, 2, -2])).p == 1.0


def test_what_is_no_count_is_refused() -> None:
    for wrong in (np.array([0.5]), np.array([], dtype=int)):
        with pytest.raises(ValueError, match="integers and not empty"):
            sign_flip(wrong)


def test_holm_is_the_step_down_procedure_at_every_level() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        p = generator.random(5).round(2).tolist()
        adjusted = holm(p)
        for level in np.linspace(0.005, 0.995, 34):
            rejected = set()
            for rank, index in enumerate(sorted(range(5), key=lambda index: p[index])):
                if p[index] > level / (5 - rank):
                    break
                rejected.add(index)
            assert {index for index in range(5) if adjusted[index] <= level + 1e-12} == rejected


def test_holm_counts_tests_without_p() -> None:
    assert holm([0.01, None, 0.04]) == [pytest.approx(0.03), None, pytest.approx(0.08)]
    assert holm([]) == []
    assert holm([0.2]) == [0.2]
