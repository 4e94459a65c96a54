"""The contract of *Listen*: features in, encoded frames out, exact lengths."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn


class Encoded(NamedTuple):
    """The result of an encoder."""

    encoded: Tensor  # (B, T', E), exactly 0 on padding
    lengths: Tensor  # (B,) int64, 1 <= lengths <= T'


class Encoder(nn.Module, ABC):
    """Features (B, T, F) → encoded (B, T', E).

    Promises, each a test over every yaml in `configs/listen/`:
    * the result for an utterance is the same alone and in any batch (padding may hold anything);
    * `output_lengths(lengths)` equals the frames produced, for every length ≥ 1, and is ≥ 1;
    * encoded is exactly 0 on padding; T' is the largest output length of the batch's T.
    Constructors take `input_dim` as keyword (the build supplies it) and the rest from the yaml. Initial weights are
    drawn after construction, by each part's `reset_parameters()`, but for parts that say they are `pretrained`.
    """

    input_dim: int  # F
    output_dim: int  # E
    subsampling_factor: int  # T / T', rounded up
    self_attentive: bool = False  # True: all frames see each other and are read in no order, so maps may mislead
    pretrained: bool = False  # True: it brings its weights, and they are left alone (so for any module in it)

    @property
    def intermediate(self) -> Sequence[nn.Module]:
        """Layers whose outputs (B, T', E) a loss with intermediate CTC reads too; padding may hold anything finite."""
        return ()

    @abstractmethod
    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Encoded frames (B,) for `lengths` (B,) input frames."""

    @abstractmethod
    def forward(self, features: Tensor, lengths: Tensor) -> Encoded:
        """Encode.

        Args:
            features: (B, T, F).
            lengths: (B,) int64, 1 <= lengths <= T.
        """
