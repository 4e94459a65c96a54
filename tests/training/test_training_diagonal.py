"""Reading along: the formula by loops, what uniform and untrained attention give, and that padding does not matter."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lasasr.training.diagonal import measured, read_along

sys.path.append(str(Path(__file__).parents[1] / "attend"))
from attend_variants import VARIANTS, factory


def plainly(weights: np.ndarray) -> tuple[float, float, float]:
    """Correlation, covered and gain of the text steps (U, T) of one head, as the module's text defines them."""
    steps, frames = weights.shape
    width = math.ceil(frames / steps)
    centres, kept, near = [], [], 0.0
    for u, row in enumerate(weights):
        if row.sum() > 0:
            alpha = row / row.sum()
            centres.append(sum(t * alpha[t] for t in range(frames)))
            kept.append(u)
            near += sum(alpha[t] for t in range(frames) if abs(t - centres[-1]) <= width) / steps
    chance = min(1.0, (2 * width + 1) / frames)
    slope = np.polyfit(kept, centres, 1)[0]
    gain = (near - chance) / (1 - chance) if chance < 1 else 0.0
    return np.corrcoef(kept, centres)[0, 1], slope * (steps - 1) / frames, gain


def random_weights(steps: int, frames: int, seed: int) -> Tensor:
    """(U + 1, 1, T), sharper than uniform."""
    draws = np.random.default_rng(seed).dirichlet(np.full(frames, 0.1), size=(steps + 1, 1))
    return torch.tensor(draws, dtype=torch.float32)


def diagonal(steps: int, frames: int, spread: float) -> Tensor:
    """(U + 1, 1, T): Gaussians whose means go evenly from end to end."""
    u, t = torch.arange(steps + 1)[:, None], torch.arange(frames)
    return (-0.5 * ((t - (u + 0.5) * frames / steps) / spread).square()).softmax(-1)[:, None]


@pytest.mark.parametrize(("steps", "frames"), [(5, 7), (6, 40), (13, 12), (21, 73), (5, 4)])
def test_each_value_follows_its_formula(steps: int, frames: int) -> None:
    for seed in range(3):
        weights = random_weights(steps, frames, seed)
        if seed == 2:
            weights[2] = 0.0  # a step without a frame
        found = measured(weights[None], torch.tensor([frames]), torch.tensor([steps]))
        expected = plainly(weights[:-1, 0].double().numpy())
        assert [float(value) for value in found] == pytest.approx(expected, abs=1e-4)


def test_padding_of_frames_and_steps_changes_nothing() -> None:
    parts = [diagonal(9, 30, 1.0), random_weights(6, 17, 0), diagonal(5, 11, 0.5)]
    frames, tokens = torch.tensor([30, 17, 11]), torch.tensor([9, 6, 5])
    whole = torch.zeros(3, 14, 1, 50)
    whole[:, :, :, :3] = 7.0  # steps after the end may hold anything
    for row, part in enumerate(parts):
        whole[row, : len(part)] = 0.0
        whole[row, : len(part), :, : part.shape[-1]] = part
    together = measured(whole, frames, tokens)
    for row, part in enumerate(parts):
        alone = measured(part[None], frames[row : row + 1], tokens[row : row + 1])
        for one, other in zip(together, alone, strict=True):
            torch.testing.assert_close(one[row], other[0], atol=1e-5, rtol=1e-5)


def test_uniform_weights_gain_nothing_and_a_sharp_diagonal_all() -> None:
    frames, tokens = torch.tensor([40]), torch.tensor([10])
    flat = measured(torch.full((1, 11, 1, 40), 1 / 40), frames, tokens)
    assert float(flat.correlation) == 0.0
    assert float(flat.gain) == pytest.approx(0.0, abs=0.12)  # at the ends fewer than 2w + 1 frames are near
    sharp = measured(diagonal(10, 40, 0.3)[None], frames, tokens)
    assert float(sharp.correlation) == pytest.approx(1.0, abs=1e-3)
    assert float(sharp.gain) == pytest.approx(1.0, abs=1e-3)
    assert float(sharp.covered) == pytest.approx(0.9, abs=1e-2)


@pytest.mark.parametrize(
    ("name", "weights", "expected"),
    [
        ("diagonal", diagonal(10, 40, 2.0), True),
        ("backwards", diagonal(10, 40, 2.0).flip(0), False),
        ("too wide", diagonal(10, 40, 15.0), False),
        ("half way", torch.cat((diagonal(10, 20, 1.0), torch.zeros(11, 1, 20)), -1), False),
        ("stands still", diagonal(10, 40, 1.0)[4:5].expand(11, -1, -1), False),
    ],
)
def test_what_is_read_along(name: str, weights: Tensor, expected: bool) -> None:
    frames, tokens = torch.tensor([weights.shape[-1]]), torch.tensor([10])
    assert read_along(weights[None], frames, tokens).tolist() == [expected]
    flat = torch.full_like(weights, 1 / weights.shape[-1])
    beside = torch.cat((flat, weights), 1)[None]  # the best of several heads counts
    assert read_along(beside, frames, tokens).tolist() == [expected]


def test_an_utterance_of_few_tokens_is_not_judged() -> None:
    weights = torch.stack((diagonal(4, 20, 0.5), diagonal(4, 20, 0.5)))
    assert read_along(weights, torch.tensor([20, 20]), torch.tensor([4, 3])).tolist() == []


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize(("tokens", "frames"), [(30, 33), (30, 54), (8, 30)])
@torch.no_grad()
def test_no_variant_reads_along_before_it_has_learnt(name: str, tokens: int, frames: int) -> None:
    torch.manual_seed(0)
    # hard steps of an untrained `monotonic` walk on a line, a frame at a time: docs/alignment.md says so
    soft = {"hard": 0.0} if name in ("monotonic", "mocha") else {}
    attention = factory(name, **soft)(encoded_dim=16, query_dim=16).train()
    encoded = torch.randn(8, frames, 16).cumsum(1).mul(0.1).tanh()
    query = torch.randn(8, tokens + 1, 16).cumsum(1).mul(0.2).tanh()
    memory = attention.memory(encoded, torch.ones(8, frames, dtype=torch.bool))
    state = attention.initial(memory, 1)
    weights = []
    for u in range(tokens + 1):
        attended = attention(query[:, u : u + 1], memory, state)
        state = attended.state
        weights.append(attended.weights[:, 0])
    found = read_along(torch.stack(weights, 1), torch.full((8,), frames), torch.full((8,), tokens))
    assert int(found.sum()) <= 1
