"""The contract of an adaptation: one way to train a trained recognizer on, `adapt=NAME`.

There are three kinds. A `WeightMethod` says which weights are trained, and may add some. A `Penalty` holds training
back towards what the recognizer was, as a term of the loss. A `DataMethod` (replay) changes what is trained on. Of the
first kind one at most is chosen, none means `full`; the others may stand beside it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import nn

from lasasr.errors import UsageError


class Method(ABC):  # noqa: B024, it marks what may stand there
    """What `adapt=NAME` chooses: one file, one yaml, plain options."""


class WeightMethod(Method):
    """Which weights are trained.

    Promises: what `choose` leaves without `requires_grad` does not change, bit for bit; what `add` adds changes nothing
    of what the recognizer computes before the first update.
    """

    adds: ClassVar[bool] = False
    """Whether it adds weights; those of the recognizer then stay, and its bundle is a delta to it."""

    folds: ClassVar[bool] = False
    """Whether what it adds can be computed into the recognizer's own weights once training has ended."""

    thaw_after: int | None = None  # updates after which what `thawing` lists is trained, too

    def add(self, recognizer: nn.Module, seed: int) -> None:
        """Add weights, drawn by `seed` and their names; also done where a bundle is read.

        Raises:
            UsageError: an option makes no sense for this recognizer; names it.
        """

    @abstractmethod
    def choose(self, recognizer: nn.Module) -> None:
        """Set `requires_grad` of all parameters; called after `add`.

        Raises:
            UsageError: an option means no weights, or weights that `listen.freeze` keeps as they are.
        """

    def thawing(self, recognizer: nn.Module) -> Sequence[nn.Parameter]:
        """What is trained from `thaw_after` on, frozen until then."""
        return ()


def weight_method(methods: Mapping[str, Any]) -> tuple[str, WeightMethod] | None:
    """The method that says which weights are trained, with its name; None: none does.

    Raises:
        UsageError: there are two.
    """
    named = [(name, method) for name, method in methods.items() if isinstance(method, WeightMethod)]
    if len(named) > 1:
        names = " and ".join(name for name, _ in named)
        raise UsageError(f"adapt=[{','.join(methods)}]: {names} both say which weights are trained; choose one of them")
    return named[0] if named else None
