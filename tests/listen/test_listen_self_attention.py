"""Self-attention against loops over utterances and frames."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from lasasr.listen import positions
from lasasr.listen.self_attention import RelativeSelfAttention, SelfAttention
from lasasr.nn import lengths as length

D, H = 12, 3
LENGTHS = torch.tensor([9, 1, 5])
REAL = length.mask(LENGTHS, 9)


def _attention(kind: type[SelfAttention]) -> Any:
    torch.manual_seed(3)
    attention = kind(D, H).double()
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return attention


def _frames() -> Tensor:
    torch.manual_seed(4)
    return torch.randn(len(LENGTHS), 9, D, dtype=torch.double)


def _sinusoid(position: int) -> Tensor:
    """PE(pos, 2i) = sin(pos / 10000^(2i/D)), PE(pos, 2i + 1) = cos of the same (Vaswani et al. 2017, §3.5)."""
    angles = [position / 10000 ** (2 * i / D) for i in range(D // 2)]
    return torch.tensor([wave(angle) for angle in angles for wave in (math.sin, math.cos)], dtype=torch.double)


def _naive(attention: Any, utterance: Tensor) -> Tensor:
    """One utterance (T, D) without padding, head by head, frame by frame."""
    query, key, value = attention.project(utterance).chunk(3, -1)
    size, read = D // H, torch.zeros_like(utterance)
    for head in range(H):
        columns = slice(head * size, (head + 1) * size)
        for i in range(len(utterance)):
            energies = []
            for j in range(len(utterance)):
                q, k = query[i, columns], key[j, columns]
                if isinstance(attention, RelativeSelfAttention):
                    r = attention.project_distance(_sinusoid(i - j))[columns]
                    u, v = attention.content_bias[head], attention.distance_bias[head]
                    energies.append(((q + u) @ k + (q + v) @ r) / math.sqrt(size))
                else:
                    energies.append(q @ k / math.sqrt(size))
            weights = torch.stack(energies).softmax(0)
            read[i, columns] = weights @ value[:, columns]
    joined: Tensor = attention.join(read)
    return joined


@pytest.mark.parametrize("kind", [SelfAttention, RelativeSelfAttention])
def test_a_padded_batch_is_read_as_each_utterance_by_itself(kind: type[SelfAttention]) -> None:
    attention, frames = _attention(kind), _frames()
    with torch.no_grad():
        read = attention(frames, REAL, positions.distances(frames))
        for row, count in enumerate(LENGTHS.tolist()):
            torch.testing.assert_close(read[row, :count], _naive(attention, frames[row, :count]))
    assert read.isfinite().all()


def test_gradients_of_relative_attention_are_those_of_its_formula() -> None:
    attention = _attention(RelativeSelfAttention)
    frames = _frames()[:1, :4].requires_grad_()
    parameters = [frames, *attention.parameters()]
    read = attention(frames, torch.ones(1, 4, dtype=torch.bool), positions.distances(frames))
    ours, theirs = (
        torch.autograd.grad(values.square().sum(), parameters) for values in (read, _naive(attention, frames[0]))
    )
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("frames", [1, 2, 5, 8])
def test_energies_are_taken_at_the_distance_of_each_pair(frames: int) -> None:
    energies = torch.randn(2, 3, frames, 2 * frames)
    taken = positions.by_distance(energies)
    apart = list(range(frames - 1, -frames - 1, -1))
    for i in range(frames):
        for j in range(frames):
            assert torch.equal(taken[..., i, j], energies[..., i, apart.index(i - j)])


def test_positions_are_the_papers_formula() -> None:
    frames = torch.zeros(1, 7, D, dtype=torch.double)
    torch.testing.assert_close(positions.absolute(frames), torch.stack([_sinusoid(t) for t in range(7)]))
    expected = torch.stack([_sinusoid(t) for t in range(6, -8, -1)])
    torch.testing.assert_close(positions.distances(frames), expected)


def test_positions_are_precise_in_half_precision_and_of_odd_width() -> None:
    halves = positions.absolute(torch.zeros(1, 3000, 5, dtype=torch.bfloat16))
    assert halves.dtype == torch.float32
    torch.testing.assert_close(halves[:, 0], torch.arange(3000.0).sin(), rtol=0, atol=1e-5)
    assert halves.shape == (3000, 5)


def test_relative_attention_without_distances_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the encodings of distances, got None"):
        _attention(RelativeSelfAttention)(_frames(), REAL)


def test_training_in_bfloat16_on_a_cpu_computes_what_float64_does() -> None:
    attention, frames = _attention(RelativeSelfAttention), _frames()
    distances = positions.distances(frames)
    for parameter in attention.parameters():  # energies of a few nats: a rounded one changes no weight by much
        parameter.data.mul_(0.5)
    exact = attention(frames, REAL, distances)[REAL]
    exact.square().sum().backward()
    gradients = [parameter.grad.clone() for parameter in attention.parameters()]
    attention.float().zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = attention(frames.float(), REAL, distances.float())[REAL]
    rounded.float().square().sum().backward()
    assert rounded.dtype == torch.bfloat16
    assert (rounded - exact).norm() < 0.02 * exact.norm()
    for parameter, gradient in zip(attention.parameters(), gradients, strict=True):
        assert (parameter.grad - gradient).norm() < 0.03 * gradient.norm()
