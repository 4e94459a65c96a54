"""The contract of *Attend*: state is a value.

What all hypotheses of an utterance share is `memory` (keys, values, mask); what each hypothesis owns is `state`
(last weights, coverage, ...). Both are NamedTuples of tensors that search and decoder pass on without reading
their fields. K counts the hypotheses per utterance: 1 in training, the beam in search.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

from torch import Tensor, nn

from lasasr.errors import UsageError

M = TypeVar("M")
S = TypeVar("S")


class Attended(NamedTuple, Generic[S]):
    """What one step gives."""

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
    moves_diagonally: bool = False  # True where hard steps move along the diagonal before anything is learnt

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "walks" in vars(cls):
            _refuse_walks(cls)

    def _set_walks(self, value: object) -> None:
        _refuse_walks(type(self))

    walks = property(fset=_set_walks)  # 0.1.0's name of `moves_diagonally`: refused rather than ignored

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


def _refuse_walks(kind: type) -> NoReturn:
    raise UsageError(f"{kind.__module__}.{kind.__qualname__} sets walks; since 0.2.0 it is moves_diagonally")
