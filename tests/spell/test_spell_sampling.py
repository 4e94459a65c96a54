"""Scheduled sampling: the schedules against their formulas, the draw against its distribution."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch

from lasasr.spell.base import MASKED, mask_never_emitted, sampled
from lasasr.spell.sampling import Constant, Exponential, InverseSigmoid, Linear, Sampling

SCHEDULES = [
    (Constant(most=1.0), lambda step: 0.0),
    (Linear(most=1.0, steps=50), lambda step: max(0.0, 1 - step / 50)),
    (Exponential(most=1.0, k=0.9), lambda step: 0.9**step),
    (InverseSigmoid(most=1.0, k=8.0), lambda step: 8 / (8 + math.exp(step / 8))),
]


@pytest.mark.parametrize(("schedule", "epsilon"), SCHEDULES, ids=lambda value: type(value).__name__)
def test_formulas_of_bengio_et_al(schedule: Sampling, epsilon) -> None:  # type: ignore[no-untyped-def]
    for step in range(0, 200, 7):
        assert schedule(step) == pytest.approx(1 - epsilon(step), abs=1e-12)


@pytest.mark.parametrize("kind", [Constant, Linear, Exponential, InverseSigmoid])
def test_start_and_most_are_kept_and_the_probability_never_falls(kind: type[Sampling]) -> None:
    plain, late = kind(most=0.3), kind(most=0.3, start=100)
    steps = range(0, 200_000, 501)
    assert all(late(step) == 0.0 for step in range(100))
    assert all(late(step + 100) == plain(step) for step in steps)
    values = [plain(step) for step in steps]
    assert values == sorted(values)
    assert values[-1] == 0.3


def test_nothing_is_sampled_by_default() -> None:
    assert {Constant()(step) for step in (0, 10, 10**9)} == {0.0}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Constant(most=1.1),
        lambda: Constant(most=-0.1),
        lambda: Constant(start=-1),
        lambda: Linear(steps=0),
        lambda: Exponential(k=1.0),
        lambda: InverseSigmoid(k=0.5),
    ],
)
def test_options_without_meaning_are_refused(wrong) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="got"):
        wrong()


def test_each_utterance_draws_for_itself_with_the_given_probability() -> None:
    torch.manual_seed(0)
    rows, probability = 20_000, 0.3
    reference = torch.full((rows,), 4)
    logits = torch.full((rows, 6), MASKED)
    logits[:, 5] = 0.0  # the model is sure of 5
    read = sampled(reference, logits, probability)
    share = float((read == 5).double().mean())
    assert abs(share - probability) < 5 * math.sqrt(probability * (1 - probability) / rows)


def test_draws_follow_the_models_distribution() -> None:
    torch.manual_seed(0)
    rows = 40_000
    logits = mask_never_emitted(torch.randn(1, 8)).expand(rows, -1)
    drawn = Counter(sampled(torch.full((rows,), 4), logits, 1.0).tolist())
    chances = logits[0].softmax(0)
    for token, chance in enumerate(chances.tolist()):
        assert abs(drawn[token] / rows - chance) <= 5 * math.sqrt(chance * (1 - chance) / rows)
    assert not {0, 1, 2} & set(drawn)


def test_without_probability_the_reference_is_read_and_no_random_number_is_spent() -> None:
    reference = torch.tensor([4, 5])
    before = torch.get_rng_state()
    assert sampled(reference, torch.randn(2, 6, generator=torch.Generator().manual_seed(0)), 0.0) is reference
    assert torch.equal(before, torch.get_rng_state())


def test_a_nan_prediction_is_still_a_token() -> None:
    """So that training can name the utterance whose loss is not finite."""
    drawn = sampled(torch.tensor([4]), torch.full((1, 6), torch.nan), 1.0)
    assert 0 <= int(drawn) < 6
