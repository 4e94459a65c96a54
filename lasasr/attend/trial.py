"""An attention to try: its inputs, how it is run, how results are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lasasr.attend.base import Attended, Attention
from lasasr.nn import tree
from lasasr.nn.conformance import largest

TOLERANCE = 1e-5  # float32, values of order 1
LENGTHS = (9, 6, 1)  # encoded frames of the utterances tried
HYPOTHESES = 4
STEPS = 3

Make = Callable[..., Attention[Any, Any]]


@dataclass(frozen=True)
class Trial:
    """An attention to try and what to try it on; everything is drawn from fixed seeds.

    Args:
        make: builds the attention from the keywords `encoded_dim` and `query_dim`.
        device: where to try it.
        encoded_dim: E.
        query_dim: Q.
    """

    make: Make
    device: str = "cpu"
    encoded_dim: int = 6
    query_dim: int = 5

    def attention(self, moved: bool = True, training: bool = False, dtype: torch.dtype = torch.float32) -> Any:
        """The attention, with its parameters as at initialisation or `moved` from there, so that weights differ."""
        torch.manual_seed(5)
        attention = self.make(encoded_dim=self.encoded_dim, query_dim=self.query_dim).to(self.device)
        with torch.no_grad():
            for parameter in attention.parameters() if moved else ():
                spread = 0.1 if parameter.numel() > 1 else 1.0
                parameter.add_(spread * torch.randn(parameter.shape).to(self.device))
        return attention.train(training).to(dtype)

    def encoded(self, lengths: tuple[int, ...] = LENGTHS, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """Encoded (B, T, E), 0 on padding, and its mask (B, T)."""
        torch.manual_seed(2)
        mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
        drawn = torch.stack([torch.randn(max(lengths), self.encoded_dim) for _ in lengths])
        return (drawn * mask[..., None]).to(self.device, dtype), mask.to(self.device)

    def queries(self, utterances: int, steps: int = STEPS, seed: int = 3, dtype: torch.dtype = torch.float32) -> Tensor:
        """Queries (U, B, K, Q)."""
        torch.manual_seed(seed)
        drawn = 2 * torch.randn(steps, utterances, HYPOTHESES, self.query_dim)
        return drawn.to(self.device, dtype)


def steps_from(attention: Any, memory: Any, state: Any, queries: Tensor) -> list[Attended[Any]]:
    """Attend with queries (U, B, K, Q) one after another."""
    attended = []
    for query in queries.unbind(0):
        attended.append(attention(query, memory, state))
        state = attended[-1].state
    return attended


def run(attention: Any, encoded: Tensor, mask: Tensor, queries: Tensor) -> list[Attended[Any]]:
    """`steps_from` the start of the utterances."""
    memory = attention.memory(encoded, mask)
    return steps_from(attention, memory, attention.initial(memory, queries.shape[2]), queries)


def difference(ours: list[Attended[Any]], theirs: list[Attended[Any]]) -> float:
    """Largest difference of two runs: contexts, weights and states."""
    pairs = zip(tree.leaves(ours), tree.leaves(theirs), strict=True)
    return largest(our - their for our, their in pairs)
