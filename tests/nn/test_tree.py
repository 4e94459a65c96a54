"""Reorder and select over nested states."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lasasr.nn import tree


class Nothing(NamedTuple):
    """A state with no tensor, as content-based attention has."""


class Inner(NamedTuple):
    weights: Tensor


class State(NamedTuple):
    hidden: Tensor
    inner: Inner
    nothing: Nothing


def _state() -> State:
    torch.manual_seed(0)
    return State(torch.randn(3, 2, 4), Inner(torch.randn(3, 2, 1, 5)), Nothing())


def test_leaves_come_in_field_order() -> None:
    state = _state()
    assert [id(leaf) for leaf in tree.leaves(state)] == [id(state.hidden), id(state.inner.weights)]


def test_map_keeps_the_structure() -> None:
    state = _state()
    mapped = tree.map_leaves(torch.neg, state)
    assert type(mapped) is State
    assert type(mapped.inner) is Inner
    assert mapped.nothing == Nothing()
    assert torch.equal(mapped.hidden, -state.hidden)
    assert torch.equal(mapped.inner.weights, -state.inner.weights)


def test_reorder_takes_each_hypothesis_from_its_parent() -> None:
    state = _state()
    parents = torch.tensor([[1, 1, 0], [0, 1, 0], [1, 0, 1]])  # K = 2 hypotheses grow to K' = 3
    reordered = tree.reorder(state, parents)
    for leaf, before in zip(tree.leaves(reordered), tree.leaves(state), strict=True):
        for b in range(3):
            for k in range(3):
                assert torch.equal(leaf[b, k], before[b, int(parents[b, k])])


def test_select_keeps_the_named_utterances_in_order() -> None:
    state = _state()
    selected = tree.select(state, torch.tensor([2, 0]))
    for leaf, before in zip(tree.leaves(selected), tree.leaves(state), strict=True):
        assert torch.equal(leaf, torch.stack([before[2], before[0]]))
    assert tree.select(Nothing(), torch.tensor([0])) == Nothing()
