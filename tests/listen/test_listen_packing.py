"""Packing against torch's own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence

from lasasr.listen.packing import pack, packing, unpack


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(0, 2))
def test_it_is_torchs_own_order(sizes: list[int], more: int) -> None:
    lengths = torch.tensor(sizes)
    frames = torch.randn(len(sizes), max(sizes) + more, 3)
    theirs = pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
    order = packing(lengths, frames.shape[1])
    packed = pack(frames, order)
    assert torch.equal(order.sizes, theirs.batch_sizes)
    # utterances of one length may stand in another order: frame by frame both have the same rows
    ours = torch.split(packed, order.sizes.tolist())
    for step, their_step in zip(ours, torch.split(theirs.data, order.sizes.tolist()), strict=True):
        assert sorted(step.tolist()) == sorted(their_step.tolist())
    real = torch.arange(frames.shape[1])[None, :, None] < lengths[:, None, None]
    assert torch.equal(unpack(packed, order, len(frames)), frames * real)


@pytest.mark.parametrize("check", [torch.autograd.gradcheck, torch.autograd.gradgradcheck])
def test_gradients(check: object) -> None:
    frames = torch.randn(3, 4, 2, dtype=torch.float64, requires_grad=True)
    order = packing(torch.tensor([2, 4, 1]), 4)
    assert callable(check)
    assert check(lambda rows: unpack(pack(rows.sin(), order).exp(), order, 3).sin(), frames)
