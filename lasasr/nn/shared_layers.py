"""Layers whose weights all steps of a loop share (`lasasr.nn.shared_steps`), called as any other module is.

They are modules so that whatever torch and other libraries do to a module takes effect: a module that replaces or wraps
one is called, hooks run, `torch.nn.utils.parametrize` computes the weights.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from lasasr.nn.shared_steps import cached, linear


class SharedLinear(nn.Linear):
    """`nn.Linear` for inputs (..., N), whose weight's gradient is one product after the loop in place of one per step.

    Outside of a loop, and while torch exports or compiles, it is the plain operation; so it is for weights that are no
    ordinary tensors (quantised or distributed ones), which bring their own.
    """

    def forward(self, input: Tensor) -> Tensor:
        weight, bias = parameter(self, "weight"), parameter(self, "bias")
        if type(weight) not in (Tensor, nn.Parameter):
            return functional.linear(input, weight, bias)
        return linear(input, weight, bias)


def parameter(module: nn.Module, name: str) -> Any:
    """The tensor (or None) `module.name`: in all steps of a loop the same, also where a parametrisation computes it.

    A parametrisation (`torch.nn.utils.parametrize`) is computed once per loop, whatever it draws.
    """
    if name in module._parameters:
        return module._parameters[name]
    return cached(getattr, module, name)


def floating(module: nn.Module) -> Tensor:
    """A tensor of the precision and device in which `module` computes: its first parameter of floating point.

    For states that begin with zeros: it asks no layer of a certain kind for a weight, which one that took its place may
    not have.
    """
    return next(weight for weight in module.parameters() if weight.is_floating_point())
