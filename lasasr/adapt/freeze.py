"""`adapt=freeze`: some parts stay as they are."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from lasasr.adapt.base import WeightMethod
from lasasr.adapt.names import chosen, named_parameters
from lasasr.errors import UsageError
from lasasr.nn import frozen


class Freeze(WeightMethod):
    """Parts without gradients, without state in the optimizer, in evaluation mode; the rest is trained.

    What `listen.freeze` of a pretrained encoder keeps frozen stays so, too.

    Args:
        parts: parts or patterns that are frozen, as `encoder` or `*.bias` (`adapt.names`).
        but: parts or patterns among them that are trained all the same.
        thaw_after: updates after which what `parts` froze is trained, too; None: never.

    Raises:
        ValueError: `parts` is empty, or `thaw_after` below 1.
    """

    def __init__(self, *, parts: Sequence[str], but: Sequence[str] = (), thaw_after: int | None = None) -> None:
        if not parts:
            raise ValueError("parts is empty, so nothing would be frozen: take adapt=full")
        if thaw_after is not None and thaw_after < 1:
            raise ValueError(f"thaw_after must be at least 1, got {thaw_after}; adapt=full trains from the start")
        self.parts, self.but, self.thaw_after = parts, but, thaw_after

    def choose(self, recognizer: nn.Module) -> None:
        """See the contract."""
        parameters = named_parameters(recognizer)
        listed = self._frozen(parameters)
        if self.thaw_after is not None:
            for name in listed:
                if not parameters[name].requires_grad:
                    raise UsageError(
                        f"adapt.freeze.thaw_after={self.thaw_after} would train {name}, which listen.freeze keeps as "
                        "it is: add listen.freeze=none (and listen.thaw_after=null)"
                    )
        frozen.freeze(parameters[name] for name in listed)
        if not any(parameter.requires_grad for parameter in parameters.values()):
            raise UsageError(f"adapt.freeze.parts=[{','.join(self.parts)}] freezes every weight: nothing is trained")

    def thawing(self, recognizer: nn.Module) -> Sequence[nn.Parameter]:
        """See the contract."""
        if self.thaw_after is None:
            return ()
        parameters = named_parameters(recognizer)
        return [parameters[name] for name in self._frozen(parameters)]

    def _frozen(self, parameters: dict[str, nn.Parameter]) -> list[str]:
        listed = chosen(self.parts, parameters, "adapt.freeze.parts")
        trained = set(chosen(self.but, listed, "adapt.freeze.but")) if self.but else set()
        return [name for name in listed if name not in trained]
