"""The parts variants are made of: weights, energies, filters, paths, stops; and options that are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from attend_formulas import expected_alignment
from attend_variants import VARIANTS, config, factory
from torch import Tensor
from torch.nn import functional

from lasasr.attend import energies
from lasasr.attend.energies import AdditiveEnergy
from lasasr.attend.filters import LocationFilters, kernel_sizes
from lasasr.attend.gmm import GmmAttention
from lasasr.attend.monotonic import decided, expected
from lasasr.attend.none import NoAttention
from lasasr.attend.weights import PreviousWeights, Weighting, window
from lasasr.errors import UsageError
from lasasr.nn import shared_steps

MASK = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("weights", ["softmax", "smoothing"])
@pytest.mark.parametrize("energy", [1e4, -1e4, "mixed"])
def test_extreme_energies_give_finite_weights_that_sum_to_1(dtype: torch.dtype, weights: str, energy: Any) -> None:
    values = torch.linspace(-1e4, 1e4, 6) if energy == "mixed" else torch.full((6,), energy)
    scores = values.to(dtype).expand(2, 3, 1, 6).clone().requires_grad_()
    result = Weighting(weights=weights)(scores, MASK)
    assert result.dtype == torch.float32
    assert torch.allclose(result.sum(-1), torch.ones(2, 3, 1))
    assert not result[1, ..., 4:].any()
    result.square().sum().backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_top_k_larger_than_the_utterance_keeps_all_real_frames() -> None:
    energy = torch.randn(2, 1, 1, 6)
    assert torch.equal(Weighting(top_k=5)(energy, MASK)[1], Weighting()(energy, MASK)[1])


def test_window_is_centred_on_the_median_and_ends_with_the_utterance() -> None:
    weights = torch.tensor([[0.2, 0.2, 0.2, 0.4, 0, 0], [0.0, 0, 0, 1, 0, 0]])[:, None, None]
    near = window(weights, MASK, 1)[:, 0, 0]
    assert near.tolist() == [[False, True, True, True, False, False], [False, False, True, True, False, False]]


@pytest.mark.parametrize("widths", [[5], [1], [13, 7, 9]])
@pytest.mark.parametrize("frames", [1, 4, 9, 10, 11, 40])
@pytest.mark.parametrize("channels", [1, 3])
def test_products_with_a_band_are_the_convolution(frames: int, widths: list[int], channels: int) -> None:
    """Shorter and longer than the filters, and with a last block that is not full."""
    torch.manual_seed(1)
    filters = LocationFilters(2, widths, channels).double()
    weights = torch.rand(2, 3, len(widths), channels, frames, dtype=torch.double, requires_grad=True)

    def convolution() -> Tensor:
        rows = weights.flatten(0, 1).unbind(1)
        pairs = zip(rows, filters.weight, strict=True)
        maps = [functional.conv1d(row, weight, padding=weight.shape[2] // 2) for row, weight in pairs]
        return torch.stack(maps, 1).unflatten(0, (2, 3)).transpose(3, 4)

    results = []
    for features in (convolution(), filters(weights)):
        value = (features * torch.linspace(-1, 1, features.numel(), dtype=torch.double).view_as(features)).sum()
        results.append([features, *torch.autograd.grad(value, [weights, *filters.parameters()])])
    torch.testing.assert_close(*results)


def test_later_heads_see_further() -> None:
    assert kernel_sizes(201, 4, multires=True) == [51, 101, 151, 201]
    assert kernel_sizes(201, 4, multires=False) == [201] * 4


@pytest.mark.parametrize("largest", [1, 5 * 8 * 3, 2 * 5 * 8 * 11])  # a frame, three frames, two utterances at a time
@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("features", [0, 2])
def test_an_energy_made_in_pieces_is_the_same(
    features: int, heads: int, largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    energy = AdditiveEnergy(encoded_dim=4, query_dim=3, dim=8, heads=heads, features=features)
    keys, query = energy.keys(torch.randn(3, 11, 4)), torch.randn(3, 5, 3)
    shown = torch.randn(3, 5, heads, 11, features) if features else None
    whole = energy(query, keys, shown)
    monkeypatch.setattr(energies, "LARGEST", {"cpu": largest})
    with torch.no_grad():
        torch.testing.assert_close(energy(query, keys, shown), whole)


@pytest.mark.parametrize("spread", [0.1, 3.0, 1e4])
def test_expected_alignment_over_2000_frames_is_the_sequential_one(spread: float) -> None:
    torch.manual_seed(1)
    chance = (spread * torch.randn(2000)).sigmoid()
    previous = torch.rand(2000).square()
    previous /= previous.sum()
    parallel = expected(chance.expand(1, 1, 1, -1), previous.expand(1, 1, 1, -1))[0, 0, 0]
    reached, sequential = 0.0, []
    for p, before in zip(chance.double().tolist(), previous.double().tolist(), strict=True):
        reached += before
        sequential.append(p * reached)
        reached *= 1 - p
    torch.testing.assert_close(parallel.double(), torch.tensor(sequential).double(), rtol=1e-4, atol=1e-9)


def test_expected_alignment_is_the_mean_of_sampled_ones() -> None:
    generator = np.random.default_rng(1)
    chance, previous, draws = np.array([0.3, 0.6, 0.1, 0.5]), np.array([0.5, 0.2, 0.3, 0.0]), 20000
    counts = np.zeros(4)
    for position in generator.choice(4, size=draws, p=previous):
        for j in range(position, 4):
            if generator.random() < chance[j]:
                counts[j] += 1
                break
    np.testing.assert_allclose(expected_alignment(chance, previous), counts / draws, atol=0.02)


def test_a_hard_stop_is_the_first_at_or_after_the_position() -> None:
    energy = torch.tensor([[1.0, -1, 1, 1], [1, -9, -9, -9], [-1, 1, 1, -1], [1, 1, 9, 9]])[:, None, None]
    last = torch.tensor(
        [[0.0, 1, 0, 0], [0, 1, 0, 0], [0.1, 0.1, 0.1, 0.1], [0, 1, 0, 0]]
    )  # the third: spread, part lost
    mask = torch.tensor([[True, True, True, True]] * 3 + [[True, True, False, False]])
    for median in (False, True):
        weights, position = decided(energy, mask[:, None, None], last[:, None, None], median)
        assert weights[:, 0, 0].tolist() == [[0, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]]
        assert position[:, 0, 0].tolist() == [[0, 0, 1, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]]


def test_the_median_is_where_sampled_stops_are_as_often_before_as_after() -> None:
    generator = np.random.default_rng(2)
    chance = np.array([0.9, 0.2, 0.3, 0.25, 0.3, 0.4])
    stops = generator.random((20000, 5)) < chance[1:]  # from frame 1 on
    stopped = np.where(stops.any(1), stops.argmax(1) + 1, len(chance))
    energy, last = torch.logit(torch.tensor(chance)), torch.eye(6)[1].double()
    shaped = [values[None, None, None] for values in (energy, torch.ones(6, dtype=torch.bool), last)]
    assert int(decided(*shaped, median=True)[0].argmax()) == int(np.median(stopped)) == 3
    assert not decided(*shaped, median=False)[0].any()  # no p is a half


@pytest.mark.parametrize("name", ["monotonic", "mocha"])
def test_hard_training_steps_decide_as_at_test_time_with_the_gradient_of_the_expectation(name: str) -> None:
    torch.manual_seed(0)
    encoded, mask, queries = torch.randn(2, 9, 4), torch.ones(2, 9, dtype=torch.bool), 3 * torch.randn(2, 3, 3)

    def attended(hard: float, training: bool) -> tuple[Any, Tensor]:
        torch.manual_seed(7)
        attention = factory(name, noise=0.0, hard=hard, offset=0.0)(encoded_dim=4, query_dim=3).train(training)
        memory = attention.memory(encoded, mask)
        return attention(queries, memory, attention.initial(memory, 3)), attention.stop.energy.vector

    (soft, vector), (straight, same), (decision, _) = attended(0.0, True), attended(1.0, True), attended(1.0, False)
    torch.testing.assert_close(straight.weights, decision.weights)
    torch.testing.assert_close(straight.state.weights, decision.state.weights)
    assert straight.weights.sum() > 0
    if name == "monotonic":  # mocha spreads the stops over chunks, whose shares have a gradient of their own
        frames = torch.arange(9.0)
        slopes = [
            torch.autograd.grad((weights * frames).sum(), inputs)
            for weights, inputs in ((straight.weights, same), (soft.weights, vector))
        ]
        torch.testing.assert_close(*slopes)


@pytest.mark.parametrize("name", ["monotonic", "mocha"])
def test_a_share_of_the_training_steps_is_hard(name: str) -> None:
    torch.manual_seed(0)
    attention = factory(name, noise=0.0, hard=0.25, offset=0.0)(encoded_dim=4, query_dim=3)
    memory = attention.memory(torch.randn(2, 9, 4), torch.ones(2, 9, dtype=torch.bool))
    stops, _ = attention.stop(torch.randn(2, 500, 3), memory.keys, memory.mask, attention.initial(memory, 500))
    hard = ((stops == 0) | (stops == 1)).all(-1).float().mean()
    assert 0.2 < hard < 0.3


@pytest.mark.parametrize("name", ["monotonic", "mocha"])
def test_a_step_that_finds_no_frame_keeps_the_position_and_has_weights_of_0(name: str) -> None:
    attention = factory(name)(encoded_dim=4, query_dim=3).eval()
    with torch.no_grad():
        attention.stop.offset.fill_(-100.0)
    memory = attention.memory(torch.randn(2, 6, 4), MASK)
    state = attention.initial(memory, 1)
    attended = attention(torch.randn(2, 1, 3), memory, state)
    assert not attended.context.any()
    assert torch.equal(attended.state.weights, state.weights)


@pytest.mark.parametrize("name", ["monotonic", "mocha"])
def test_noise_is_drawn_only_while_training(name: str) -> None:
    attention = factory(name)(encoded_dim=4, query_dim=3)
    memory = attention.memory(torch.randn(2, 6, 4), MASK)
    step = lambda: attention(torch.ones(2, 1, 3), memory, attention.initial(memory, 1)).weights  # noqa: E731
    assert not torch.equal(step(), step())
    attention.eval()
    assert torch.equal(step(), step())


def test_gaussian_means_go_1_2_3() -> None:
    # an earlier toolkit's go 1, 3, 7: it adds the last mean twice
    attention = GmmAttention(encoded_dim=4, query_dim=3, step=1.0).double()
    with torch.no_grad():
        attention.mixture.weight.zero_()
    memory = attention.memory(torch.zeros(1, 50, 4).double(), torch.ones(1, 50, dtype=torch.bool))
    state = attention.initial(memory, 1)
    for step in (1.0, 2.0, 3.0, 4.0):
        state = attention(torch.randn(1, 1, 3).double(), memory, state).state
        torch.testing.assert_close(state.mean, torch.full((1, 1, 5), step).double(), rtol=1e-6, atol=0)


def test_forward_attention_without_a_floor_moves_one_frame_at_most() -> None:
    attention = factory("forward", floor=0.0)(encoded_dim=4, query_dim=3)
    memory = attention.memory(torch.randn(1, 9, 4), torch.ones(1, 9, dtype=torch.bool))
    state = attention.initial(memory, 1)
    for reached in range(2, 8):
        state = attention(torch.randn(1, 1, 3), memory, state).state
        assert (state.weights[0, 0, 0] > 0).tolist() == [j < reached for j in range(9)]


def context_after(attention: Any, encoded: Tensor, queries: Tensor) -> Tensor:
    """The last context of one hypothesis, for queries (U, B, Q)."""
    memory = attention.memory(encoded, torch.ones(encoded.shape[:2], dtype=torch.bool))
    state = attention.initial(memory, 1)
    for query in queries:
        attended = attention(query[:, None], memory, state)
        state = attended.state
    context: Tensor = attended.context
    return context


REMEMBERING = [name for name in VARIANTS if "detach" in config(name) and not config(name)["detach"]]


@pytest.mark.parametrize("name", REMEMBERING)
@pytest.mark.parametrize("detach", [False, True])
def test_gradients_flow_through_earlier_weights_unless_detached(name: str, detach: bool) -> None:
    torch.manual_seed(1)
    attention = factory(name, detach=detach)(encoded_dim=4, query_dim=3).double()
    encoded, queries = torch.randn(1, 5, 4).double(), torch.randn(3, 1, 3).double().requires_grad_()
    context_after(attention, encoded, queries).sum().backward()
    assert queries.grad is not None
    flows = bool(queries.grad[:-1].any())
    # the agent's u reads earlier contexts, which are not weights
    assert flows == (not detach or name == "forward_ta")


@pytest.mark.parametrize("name", [*REMEMBERING, "fertility", "gmm", "monotonic", "mocha"])
def test_gradients_through_three_steps_agree_with_finite_differences(name: str) -> None:
    torch.manual_seed(1)
    attention = factory(name, **{"noise": 0.0, "hard": 0.0} if "noise" in config(name) else {})(
        encoded_dim=4, query_dim=3
    ).double()
    encoded = torch.randn(1, 5, 4).double().requires_grad_()
    queries = torch.randn(3, 1, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda e, q: context_after(attention, e, q), (encoded, queries), fast_mode=True)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("dot", {"weights": "hard"}, "weights must be one of softmax, smoothing, got 'hard'"),
        ("dot", {"values": "none"}, "values must be one of raw, projected, got 'none'"),
        ("additive", {"top_k": -1}, "top_k must be >= 0, got -1"),
        ("dot", {"key_bias": True}, "key_bias needs tanh: without it a bias on the keys leaves a softmax unchanged"),
        ("multihead_dot", {"value_dim": -1}, "value_dim must be 0, or with heads >= 2 and values 'projected' a width"),
        ("multihead_dot", {"value_dim": 3, "values": "raw"}, "got value_dim 3, heads 4 and values 'raw'"),
        ("location", {"value_dim": 3, "values": "projected"}, "got value_dim 3, heads 1 and values 'projected'"),
        ("multihead_dot", {"dim": 30}, "dim must be a multiple of heads, got dim 30 and heads 4"),
        ("location", {"kernel_size": 10}, "kernel_size must be odd, got 10"),
        ("location", {"alpha_0": "last"}, "alpha_0 must be one of uniform, first, zeros, got 'last'"),
        ("location", {"half_window": 5}, "half_window needs alpha_0 'first'"),
        ("windowed", {"half_window": 0}, "half_window must be >= 1, got 0"),
        ("windowed", {"energy": "general"}, "energy must be one of additive, dot, got 'general'"),
        ("mocha", {"chunk": 0}, "chunk must be >= 1, got 0"),
    ],
)
def test_an_option_without_meaning_is_refused_by_name(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception, match=message):
        factory(name, **options)(encoded_dim=8, query_dim=3)


def test_previous_refuses_a_negative_window() -> None:
    with pytest.raises(ValueError, match="half_window must be >= 0, got -1"):
        PreviousWeights(alpha_0="first", half_window=-1)


def test_the_old_name_of_moves_diagonally_is_refused_wherever_it_is_set() -> None:
    with pytest.raises(UsageError, match=r"\.Hard sets walks; since 0\.2\.0 it is moves_diagonally$"):
        type("Hard", (NoAttention,), {"walks": True})
    attention = NoAttention(encoded_dim=4, query_dim=3)
    with pytest.raises(UsageError, match=r"^lasasr\.attend\.none\.NoAttention sets walks; since 0\.2\.0 it is "):
        attention.walks = True
    assert not hasattr(attention, "walks")
    attention.moves_diagonally = True
    assert not NoAttention(encoded_dim=4, query_dim=3).moves_diagonally


@pytest.mark.parametrize("frames", [3, 9, 40])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("heads", [1, 2])
def test_gradients_of_the_filters_lie_in_memory_as_the_filters_do(frames: int, channels: int, heads: int) -> None:
    """DistributedDataParallel warns of others, and copies them."""
    filters = LocationFilters(4, [7] * heads, channels)
    with shared_steps.loop():
        features = filters(torch.rand(2, 3, heads, channels, frames))
    features.sum().backward()
    strides = [(weight.grad.stride(), weight.stride()) for weight in filters.weight if weight.grad is not None]
    assert len(strides) == heads
    assert all(ours == theirs for ours, theirs in strides)
