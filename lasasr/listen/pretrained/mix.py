"""A weighted sum of the frames above all layers (Yang et al. 2021, SUPERB)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class LayerMix(nn.Module):
    """Σ softmax(w)_l h_l over what the first layer reads and what each layer gives.

    Args:
        states: how many there are.
    """

    def __init__(self, states: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(states))

    def reset_parameters(self) -> None:
        """All alike."""
        nn.init.zeros_(self.weights)

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        """As many (B, T, D) → (B, T, D)."""
        shares = self.weights.softmax(0)
        mixed: Tensor = sum(share * state for share, state in zip(shares, states, strict=True))
        return mixed
