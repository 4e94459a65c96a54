"""What a search is given of B utterances."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Acoustics(NamedTuple):
    """What a model heard."""

    encoded: Tensor  # (B, T, E)
    mask: Tensor  # (B, T) bool, True on real frames, at least one per row
    ctc_log_probs: Tensor | None = None  # (B, T, V), where the model has a CTC head

    @property
    def lengths(self) -> Tensor:
        """(B,) int64, encoded frames of each utterance."""
        return self.mask.sum(1)
