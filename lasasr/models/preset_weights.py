"""Weights that a constructor of the user's loads or sets are not drawn anew in silence.

Initial weights are drawn after construction (`lasasr.nn.initial_weights`), but for parts that say they are pretrained.
What was not drawn shows in a twin: the same module built from other random numbers has it, too.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lasasr.configuration import users_parts
from lasasr.errors import UsageError
from lasasr.nn.initial_weights import initialise, wanted


def initialise_checked(module: nn.Module, seed: int, prefix: str, twin: Callable[[], nn.Module]) -> None:
    """`initialise`, and see that it has changed nothing that a part of the user's brings.

    Args:
        prefix: of the parts' names, as of `initialise`.
        twin: builds the same module from other random numbers.

    Raises:
        UsageError: weights that a constructor loads or sets were drawn anew; names the first of them, and the way out.
    """
    owned = _owned(module) if wanted() else []
    preset = _the_same(module, twin(), owned) if owned else {}
    initialise(module, seed, prefix)
    for name, value in preset.items():
        if not torch.equal(module.get_parameter(name), value):
            owner = name.rpartition(".")[0]
            shown = f"{prefix}{owner}".rstrip(".") or "the part"
            raise UsageError(
                f"{prefix}{name} is loaded or set by a constructor, but would be drawn anew: set pretrained = True on "
                f"{shown} ({type(module.get_submodule(owner)).__name__}) or on what it is in, and it is kept; or "
                "pretrained = False, and it may be drawn (docs/extending.md)"
            )


def _owned(module: nn.Module) -> list[str]:
    """The parameters inside a part of the user's, by name, without those of parts that say what becomes of them."""
    inside: dict[str, bool] = {}
    for place, part in module.named_modules():
        users = users_parts.of_object(part) is not None or users_parts.is_users(type(part).__module__)
        for name, _ in part.named_parameters() if users or "pretrained" in vars(part) else ():
            full = f"{place}.{name}" if place else name
            inside[full] = inside.get(full, True) and "pretrained" not in vars(part)
    return [name for name, is_open in inside.items() if is_open]


def _the_same(module: nn.Module, twin: nn.Module, names: list[str]) -> dict[str, Tensor]:
    """Those of the named parameters that the twin has, too, as they are now."""
    parameters, twin_parameters = dict(module.named_parameters()), dict(twin.named_parameters())
    return {
        name: parameters[name].detach().clone()
        for name in names
        if name in parameters and name in twin_parameters and torch.equal(parameters[name], twin_parameters[name])
    }
