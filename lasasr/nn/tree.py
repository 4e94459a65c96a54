"""Reorder and select over NamedTuples of tensors: all that search does with a state.

A state or memory is a NamedTuple whose fields are tensors or such NamedTuples again. An empty one is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor

Tree = TypeVar("Tree")


def map_leaves(function: Callable[[Tensor], Tensor], tree: Tree) -> Tree:
    """Apply `function` to every tensor; the structure stays."""
    if isinstance(tree, Tensor):
        return function(tree)  # type: ignore[return-value]
    fields: Any = tree
    return type(tree)(*[map_leaves(function, field) for field in fields])


def leaves(tree: Any) -> Iterator[Tensor]:
    """The tensors of `tree`, in field order."""
    if isinstance(tree, Tensor):
        yield tree
    else:
        for field in tree:
            yield from leaves(field)


def reorder(state: Tree, parents: Tensor) -> Tree:
    """Gather axis 1 of every leaf (B, K, ...) by `parents` (B, K'): hypothesis k continues parents[b, k]."""
    first = next(leaves(state), None)
    if first is None:
        return state
    B, K = first.shape[:2]
    rows = (torch.arange(0, B * K, K, device=parents.device)[:, None] + parents).flatten()
    return map_leaves(  # index_select costs a fraction of leaf[rows, parents]
        lambda leaf: leaf.flatten(0, 1).index_select(0, rows).view(*parents.shape, *leaf.shape[2:]), state
    )


def select(tree: Tree, utterances: Tensor) -> Tree:
    """Keep axis 0 of every leaf at `utterances` (B',) int64: finished utterances leave the batch."""
    return map_leaves(lambda leaf: leaf.index_select(0, utterances), tree)
