"""`adapt=l2sp`: the squared distance from the starting point (Li, Grandvalet & Davoine 2018, L²-SP, eq. 2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from lasasr.adapt.base import Penalty
from lasasr.losses.base import StepView


class L2SP(Penalty):
    """½ Σ (w − w⁰)² over the weights that are trained.

    Args:
        weight: of the sum, in nats per target token.
    """

    of_weights: ClassVar[bool] = True

    def __init__(self, *, weight: float = 0.01) -> None:
        super().__init__(weight)
        self._weights: list[tuple[str, nn.Parameter, Tensor]] = []  # with their name and where they began

    def begin(self, recognizer: nn.Module, base: Path) -> None:
        """See the contract."""
        self._weights = [  # all of them: what is frozen adds nothing, and may thaw
            (name, parameter, parameter.detach().clone()) for name, parameter in recognizer.named_parameters()
        ]

    def per_token(self, step: StepView, ctc_share: float) -> Tensor:
        """See the contract; the same for every batch."""
        return 0.5 * torch.stack([self.importance(name, moved).sum() for name, moved in self._moved()]).sum()

    def importance(self, name: str, squared: Tensor) -> Tensor:
        """What a squared distance of a weight counts."""
        return squared

    def _moved(self) -> Iterator[tuple[str, Tensor]]:
        """The squared distances of each weight; what it began with follows it to its device."""
        for number, (name, parameter, start) in enumerate(self._weights):
            if start.device != parameter.device:
                start = start.to(parameter.device)
                self._weights[number] = (name, parameter, start)
            yield name, (parameter - start).square()
