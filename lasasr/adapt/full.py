"""`adapt=full`: every weight is trained on."""

from __future__ import annotations

from torch import nn

from lasasr.adapt.base import WeightMethod
from lasasr.adapt.names import named_parameters
from lasasr.errors import UsageError


class Full(WeightMethod):
    """All weights of the recognizer, from the start."""

    def choose(self, recognizer: nn.Module) -> None:
        """See the contract.

        Raises:
            UsageError: the encoder keeps some of them frozen.
        """
        for name, parameter in named_parameters(recognizer).items():
            if not parameter.requires_grad:
                raise UsageError(
                    f"adapt=full trains all weights, but listen.freeze keeps {name} as it is: add listen.freeze=none "
                    "(and listen.thaw_after=null), or take adapt=freeze"
                )
