import itertools
from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats

from lasasr.metrics.alignment import Alignment, aligning_head, measure, summarised


def looking_at(frames: list[int], total: int) -> np.ndarray:
    """Weights (U + 1, 1, T), each step on one frame; the last one is eos."""
    weights = np.zeros((len(frames), 1, total))
    weights[np.arange(len(frames)), 0, frames] = 1.0
    return weights


def random_weights(steps: int, heads: int, frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(frames), size=(steps, heads))


def plainly(weights: np.ndarray) -> Alignment:
    """The definitions, step by step and frame by frame."""
    rows = [list(row / row.sum()) for row in weights[:, 0]]
    text, steps, frames = rows[:-1], len(rows) - 1, len(rows[0])
    centres = [sum(t * p for t, p in enumerate(row)) for row in text]
    moves = [b - a for a, b in itertools.pairwise(centres)]
    width = int(np.ceil(frames / steps))
    skipped = reread = 0
    for t in range(frames):
        near = [row[i] for row in text for i in range(frames) if abs(i - t) <= width]
        skipped += sum(near) < 0.1
        again = [text[u][t] for u in range(1, steps) if t < max(centres[:u]) - width]
        reread += sum(again) >= 0.1
    tail = frames // 10 or 1
    return Alignment(
        correlation=stats.pearsonr(centres, range(steps)).statistic,
        focus=float(np.mean([max(row) for row in text])),
        entropy=float(np.mean([stats.entropy(row) for row in text]) / np.log(frames)),
        violations=float(np.mean([move < -1 for move in moves])),
        jumps=float(np.mean([abs(move) > 5 * frames / steps for move in moves])),
        skipped=skipped / frames,
        reread=reread / frames,
        end=sum(rows[-1][-tail:]),
    )


@pytest.mark.parametrize(("steps", "frames"), [(3, 2), (4, 11), (9, 40), (13, 12), (21, 73)])
@pytest.mark.parametrize("sharpness", [1, 40])
def test_each_value_follows_its_formula(steps: int, frames: int, sharpness: int) -> None:
    soft = random_weights(steps, 1, frames, seed=steps)
    sharp = soft**sharpness
    weights = 0.1 * soft + 0.9 * sharp / sharp.sum(2, keepdims=True)
    assert asdict(measure(weights)) == pytest.approx(asdict(plainly(weights)))


def test_a_clean_diagonal() -> None:
    alignment = measure(looking_at([*range(0, 40, 2), 39], 40))
    assert asdict(alignment) == pytest.approx(
        {"correlation": 1, "focus": 1, "entropy": 0, "violations": 0, "jumps": 0, "skipped": 0, "reread": 0, "end": 1}
    )


def test_uniform_attention_is_the_floor() -> None:
    alignment = measure(np.full((11, 2, 50), 1 / 50))
    assert alignment.correlation == 0
    assert alignment.entropy == pytest.approx(1)
    assert alignment.focus == pytest.approx(1 / 50)
    assert alignment.end == pytest.approx(5 / 50)


def test_going_back_is_a_violation_and_reads_again() -> None:
    alignment = measure(looking_at([0, 10, 20, 30, 5, 30, 39], 40))
    assert alignment.violations == pytest.approx(1 / 5)
    assert alignment.reread == pytest.approx(1 / 40)
    assert measure(looking_at([0, 10, 20, 30, 29, 30, 39], 40)).violations == 0


def test_leaving_out_a_stretch_skips_it_and_jumps() -> None:
    alignment = measure(looking_at([*range(10), *range(90, 100), 99], 100))
    assert alignment.jumps == pytest.approx(1 / 19)
    assert alignment.skipped == pytest.approx((80 - 2 * 5) / 100)


def test_padding_changes_nothing() -> None:
    weights = random_weights(7, 3, 30)
    padded = np.concatenate([weights, np.full((7, 3, 12), 9.0)], axis=2)
    assert measure(padded, frames=30) == measure(weights)


def test_weights_that_sum_to_less_are_scaled() -> None:
    weights = random_weights(7, 1, 30)
    shrunk = weights * np.linspace(0.1, 1, 7)[:, None, None]
    assert asdict(measure(shrunk)) == pytest.approx(asdict(measure(weights)))


def test_steps_without_weight_are_left_out() -> None:
    weights = random_weights(7, 1, 30)
    with_gap = np.insert(weights, 3, 0.0, axis=0)
    assert asdict(measure(with_gap)) == pytest.approx(asdict(measure(weights)))
    nothing = measure(np.zeros((4, 2, 5)))
    assert nothing.focus == 0
    assert nothing.skipped == 1


def test_the_aligning_head_is_found_among_idle_ones() -> None:
    diagonal = looking_at([*range(20), 19], 20)
    stuck, uniform = looking_at([3] * 21, 20), np.full((21, 1, 20), 1 / 20)
    noise = random_weights(21, 1, 20)
    heads = np.concatenate([stuck, uniform, diagonal, diagonal[::-1], noise], axis=1)
    assert aligning_head(heads) == 2
    assert measure(heads) == measure(diagonal)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 5), (2, 1, 1), (3, 2, 1)])
def test_the_shortest_utterances_give_finite_values(shape: tuple[int, ...]) -> None:
    assert np.isfinite(list(asdict(measure(np.ones(shape))).values())).all()


def test_half_precision_is_taken() -> None:
    weights = random_weights(7, 2, 30).astype(np.float16)
    assert np.isfinite(list(asdict(measure(weights)).values())).all()


def test_a_summary_is_the_mean() -> None:
    measured = [measure(random_weights(7, 1, 30, seed)) for seed in range(3)]
    summary = summarised(measured)
    assert summary["utterances"] == 3
    assert summary["focus"] == pytest.approx(np.mean([alignment.focus for alignment in measured]))
    assert set(summary) == {*asdict(measured[0]), "utterances"}


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got \(3, 4\)"):
        measure(np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"1\.\.4, got 0"):
        measure(np.ones((3, 1, 4)), frames=0)
    with pytest.raises(ValueError, match="must not be empty"):
        summarised([])
