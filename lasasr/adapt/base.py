"""The contract of an adaptation: one way to train a trained recognizer on, `adapt=NAME`.

There are three kinds. A `WeightMethod` says which weights are trained, and may add some. A `Penalty` holds training
back towards what the recognizer was, as a term of the loss. A `DataMethod` (replay) changes what is trained on. Of the
first kind one at most is chosen, none means `full`; the others may stand beside it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from lasasr.errors import UsageError
from lasasr.losses.base import StepView


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


class Penalty(Method):
    """A term of the loss that holds training back towards what the recognizer was when it began.

    Promises: it is 0 before the first update, and never negative.

    Args:
        weight: of the term.

    Raises:
        ValueError: the weight is not positive.
    """

    of_weights: ClassVar[bool] = False
    """Whether it measures how far weights have moved, which means nothing of weights that were added."""

    def __init__(self, weight: float) -> None:
        if not 0.0 < weight < float("inf"):
            raise ValueError(f"weight must be above 0, got {weight}")
        self.weight = weight

    @abstractmethod
    def begin(self, recognizer: nn.Module, base: Path) -> None:
        """Take what the recognizer is before the first update.

        Args:
            recognizer: with the weights that training begins with, of which some have `requires_grad`.
            base: folder of the bundle that they come from.

        Raises:
            LasasrError: something is missing there.
        """

    @abstractmethod
    def per_token(self, step: StepView, ctc_share: float) -> Tensor:
        """() nats per target token of this batch, with gradient, the weight not in it.

        Args:
            ctc_share: of CTC in the loss, as of `Loss.ctc_share`.
        """


def check_together(methods: Mapping[str, Method]) -> None:
    """Refuse methods that do not go together.

    Raises:
        UsageError: names them.
    """
    chosen = weight_method(methods)
    for name, method in methods.items():
        if chosen is not None and chosen[1].adds and isinstance(method, Penalty) and method.of_weights:
            raise UsageError(
                f"adapt=[{','.join(methods)}]: {name} holds weights back, but with {chosen[0]} those of the recognizer "
                "stay as they are: leave it out, or take self_distillation"
            )
