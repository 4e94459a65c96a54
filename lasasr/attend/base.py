"""The contract of *Attend*: state is a value.

What all hypotheses of an utterance share is `memory` (keys, values, mask); what each hypothesis owns is `state`
(last weights, coverage, ...). Both are NamedTuples of tensors that search and decoder pass on without looking
inside. K counts the hypotheses per utterance: 1 in training, the beam in search.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, NamedTuple, TypeVar

from torch import Tensor, nn

M = TypeVar("M")
S = TypeVar("S")


class Attended(NamedTuple, Generic[S]):
    """One glance at the utterance."""

    context: Tensor  # (B, K, C)
    weights: Tensor  # (B, K, H, T), H >= 1 heads; >= 0 and exactly 0 on padding
    state: S


class Attention(nn.Module, ABC, Generic[M, S]):
    """Query (B, K, Q) and encoded (B, T, E) → context (B, K, C) and weights (B, K, H, T).

    Promises (`lasasr check` tests each):
    * weights are >= 0, exactly 0 on padding and, where `sums_to_one`, sum to 1 per head;
    * `forward` is pure: nothing is kept on `self` but parameters and constants; no `.item()`, no branch on values;
      randomness only while `self.training`;
    * the returned state has the structure, shapes, dtypes and strides of the one passed in; running sums are float32;
    * memory is read-only and never gets a K axis in storage; its leaves begin with B, those of the state with B, K.
    Constructors take `encoded_dim` and `query_dim` as keywords (the decoder supplies them) and the rest from the yaml.
    Modules with parameters of their own offer `reset_parameters()`.
    """

    context_dim: int  # C
    heads: int = 1  # H
    sums_to_one: bool = True  # False only where the definition promises less (monotonic, mocha)
    walks: bool = False  # True where steps may move along the diagonal before anything is learnt (hard ones)

    @abstractmethod
    def memory(self, encoded: Tensor, mask: Tensor) -> M:
        """What is computed once per utterance.

        Args:
            encoded: (B, T, E); padding may hold anything.
            mask: (B, T) bool, True on real frames, at least one per row.
        """

    @abstractmethod
    def initial(self, memory: M, hypotheses: int) -> S:
        """The state before the first step, leaves (B, hypotheses, ...)."""

    @abstractmethod
    def forward(self, query: Tensor, memory: M, state: S) -> Attended[S]:
        """Attend once with query (B, K, Q)."""
