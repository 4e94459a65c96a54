"""Masks and lengths against enumeration."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from lasasr.nn import lengths as length


def test_the_mask_is_true_on_real_frames() -> None:
    lengths = torch.tensor([2, 0, 4])
    expected = [[t < n for t in range(4)] for n in (2, 0, 4)]
    assert length.mask(lengths).tolist() == expected
    assert length.mask(lengths, 5).tolist() == [[*row, False] for row in expected]


@given(st.integers(0, 10_000), st.integers(1, 50))
def test_ceil_div_counts_groups(frames: int, factor: int) -> None:
    assert length.ceil_div(torch.tensor([frames]), factor).tolist() == [len(range(0, frames, factor))]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 4), st.integers(0, 3))
def test_convolved_is_what_a_convolution_produces(frames: int, kernel_size: int, stride: int, padding: int) -> None:
    expected = 0
    if frames + 2 * padding >= kernel_size:
        expected = functional.conv1d(
            torch.ones(1, 1, frames), torch.ones(1, 1, kernel_size), stride=stride, padding=padding
        ).shape[2]
    assert length.convolved(torch.tensor([frames]), kernel_size, stride, padding).tolist() == [expected]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.integers(0, 2), st.sampled_from([(), (3,), (2, 2)]))
def test_reverse_flips_within_each_length_and_undoes_itself(
    lengths: list[int], more: int, rest: tuple[int, ...]
) -> None:
    longest = max(lengths) + more
    values = torch.randn(len(lengths), longest, *rest)
    turned = length.reverse(values, torch.tensor(lengths))
    for row, frames in enumerate(lengths):
        assert torch.equal(turned[row, :frames], values[row, :frames].flip(0))
        assert torch.equal(turned[row, frames:], values[row, frames:])
    assert torch.equal(length.reverse(turned, torch.tensor(lengths)), values)


def test_reverse_has_the_right_gradients_of_both_orders() -> None:
    lengths = torch.tensor([4, 1, 3])
    values = torch.randn(3, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda inputs: length.reverse(inputs, lengths).sin(), values)
    assert torch.autograd.gradgradcheck(lambda inputs: length.reverse(inputs, lengths).sin(), values)


def test_reverse_takes_a_transposed_view() -> None:
    values = torch.randn(5, 3, 2).transpose(0, 1)
    assert torch.equal(length.reverse(values, torch.tensor([5, 5, 5])), values.flip(1))


def _collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    """What a CTC path says: repetitions merged, then blanks (0) left out."""
    return tuple(label for label, _ in itertools.groupby(path) if label != 0)


@pytest.mark.parametrize("labels", [labels for size in range(4) for labels in itertools.product((1, 2), repeat=size)])
def test_ctc_frames_needed_is_the_shortest_path_there_is(labels: tuple[int, ...]) -> None:
    shortest = next(
        frames
        for frames in range(7)
        if any(_collapse(path) == labels for path in itertools.product((0, 1, 2), repeat=frames))
    )
    padded = torch.tensor([[*labels, 2, 2]])  # padding that repeats the last label is no repetition
    size = torch.tensor([len(labels)])
    assert length.ctc_frames_needed(padded, size).tolist() == [shortest]
    assert length.ctc_frames_needed(padded[:, : len(labels)], size).tolist() == [shortest]
