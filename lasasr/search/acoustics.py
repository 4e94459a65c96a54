"""The input of a search: B encoded utterances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Acoustics(NamedTuple):
    """Encoded utterances and, where there is a CTC head, its log probabilities."""

    encoded: Tensor  # (B, T, E)
    mask: Tensor  # (B, T) bool, True on real frames, at least one per row
    ctc_log_probs: Tensor | None = None  # (B, T, V), where the model has a CTC head

    @property
    def lengths(self) -> Tensor:
        """(B,) int64, encoded frames of each utterance."""
        return self.mask.sum(1)

    def rows(self, utterances: Sequence[int]) -> Acoustics:
        """These utterances only, perhaps several times, padded as far as the longest of them."""
        index = torch.tensor(utterances, device=self.mask.device)
        mask = self.mask[index]
        T = int(mask.sum(1).max())
        ctc = None if self.ctc_log_probs is None else self.ctc_log_probs[index, :T]
        return Acoustics(self.encoded[index, :T], mask[:, :T], ctc)
