"""Parts that are not trained: without gradients, and in evaluation mode whatever the model around them is in.

What is frozen is said once, by its parameters' `requires_grad`: whoever freezes or thaws sets that, and `settle` does
the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn


def settle(module: nn.Module) -> None:
    """Put every part of `module` that has parameters, none of which is trained, into evaluation mode.

    A part without parameters (a dropout) has the mode of the part that it is in. The rest stays in its mode.
    """
    for child in module.children():
        trained = [parameter.requires_grad for parameter in child.parameters()]
        if trained and not any(trained):
            child.eval()
        elif any(trained):
            settle(child)


def freeze(parameters: Iterable[nn.Parameter]) -> None:
    """Let parameters have no gradient, and so no state in an optimizer."""
    for parameter in parameters:
        parameter.requires_grad_(False)
        parameter.grad = None


def constants(module: nn.Module) -> frozenset[str]:
    """The names of the parameters that a module, as it was built, does not train: `freeze` has not been called yet."""
    return frozenset(name for name, parameter in module.named_parameters() if not parameter.requires_grad)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """All of `module` in evaluation mode while it is open; afterwards each part is in the mode that it was in."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
