"""`adapt=adapter`: small modules after layers of the encoder (Houlsby et al. 2019, §2; Bapna & Firat 2019).

A layer's output x becomes x + U · relu(D x), with D (M, E) and U (E, M) trained and all else frozen. Without biases
padding that is 0 stays so. U is 0 at first, so that nothing is changed before the first update. Unlike low-rank factors
it cannot be computed into the weights: a merged bundle keeps the modules.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from lasasr.adapt.base import WeightMethod
from lasasr.adapt.names import chosen, named_parameters, short_name
from lasasr.errors import UsageError
from lasasr.nn import frozen
from lasasr.nn.initial_weights import drawn_by


class Bottleneck(nn.Module):
    """x (..., E) → x + U · relu(D x).

    Args:
        width: E.
        bottleneck_dim: M.
    """

    def __init__(self, width: int, bottleneck_dim: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, bottleneck_dim, bias=False)
        self.up = nn.Linear(bottleneck_dim, width, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """D uniform as of a linear layer, U 0."""
        nn.init.uniform_(
            self.down.weight, -1.0 / math.sqrt(self.down.in_features), 1.0 / math.sqrt(self.down.in_features)
        )
        nn.init.zeros_(self.up.weight)

    def forward(self, values: Tensor) -> Tensor:
        added: Tensor = self.up(self.down(values).relu())
        return values + added


class _Adapted(nn.Module):
    """The forward of a layer's class, and its adapter; before that class in the order of methods."""

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.adapter(super().forward(*inputs, **named))  # type: ignore[operator]


class Adapter(WeightMethod):
    """Bottlenecks after layers.

    Args:
        bottleneck_dim: M.
        after: patterns of layers of the encoder that say their `output_dim`, as `encoder.layers.0`.
        also: parts or patterns of weights that are trained as they are beside them, as `*.bias`.

    Raises:
        ValueError: an option is out of its range.
    """

    adds: ClassVar[bool] = True

    def __init__(
        self, *, bottleneck_dim: int = 16, after: Sequence[str] = ("encoder.layers.*",), also: Sequence[str] = ()
    ) -> None:
        if bottleneck_dim < 1:
            raise ValueError(f"bottleneck_dim must be at least 1, got {bottleneck_dim}")
        if not after:
            raise ValueError("after is empty, so there is nothing to adapt")
        self.bottleneck_dim, self.after, self.also = bottleneck_dim, after, also

    def add(self, recognizer: nn.Module, seed: int) -> None:
        """See the contract."""
        layers = {short_name(name): part for name, part in recognizer.named_modules() if _is_layer(name, part)}
        if not layers:
            raise UsageError("adapt.adapter is for encoders whose layers say their output_dim: take adapt=lora here")
        for name in chosen(self.after, layers, "adapt.adapter.after", "layers"):
            layer = layers[name]
            reference = next(layer.parameters())
            with drawn_by(seed, f"adapter.{name}"):
                bottleneck = Bottleneck(int(layer.output_dim), self.bottleneck_dim)
            layer.adapter = bottleneck.to(reference).train(layer.training)
            kind = type(layer)
            layer.__class__ = type(f"Adapted{kind.__name__}", (_Adapted, kind), {})

    def choose(self, recognizer: nn.Module) -> None:
        """See the contract."""
        parameters = named_parameters(recognizer)
        also = [parameters[name] for name in chosen(self.also, parameters, "adapt.adapter.also")]
        frozen.freeze(parameters.values())
        for part in recognizer.modules():
            if isinstance(part, Bottleneck):
                part.requires_grad_(True)
        for parameter in also:
            parameter.requires_grad_(True)


def _is_layer(name: str, part: nn.Module) -> bool:
    """Whether it is a layer inside the encoder, of a width that it says."""
    return short_name(name).startswith("encoder.") and isinstance(getattr(part, "output_dim", None), int)
