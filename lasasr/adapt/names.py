"""Parts and patterns: how a configuration names weights of a recognizer.

The names are those in a bundle's weights without `model.`: `encoder.layers.0.lstm.weight_ih_l0`,
`decoder.output.bias`, `ctc.output.weight`, `frontend.…`. A pattern is a part, which means all that is in it
(`encoder`, `decoder.attention`), or has wildcards (`*.bias`, `encoder.layers.?.lstm.*`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from torch import nn

from lasasr.errors import UsageError, nearest
from lasasr.nn.parametrized import plain_name

_MODEL: Final = "model."


def short_name(name: str) -> str:
    """The name of a recognizer's parameter as patterns know it."""
    return plain_name(name).removeprefix(_MODEL)


def named_parameters(recognizer: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters by short name; one that has two names (tied weights) is there once, a constant is not."""
    constants = {
        f"{place}.{name}" for place, part in recognizer.named_modules() for name in getattr(part, "constants", ())
    }
    return {short_name(name): parameter for name, parameter in recognizer.named_parameters() if name not in constants}


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern means a parameter, or a part that the parameter is in."""
    return name == pattern or name.startswith(f"{pattern}.") or fnmatchcase(name, pattern)


def chosen(patterns: Sequence[str], names: Iterable[str], key: str, kind: str = "weights") -> list[str]:
    """The names that at least one pattern means, in their order.

    Args:
        key: of the patterns in the configuration, for messages.
        kind: what the names are of, for messages.

    Raises:
        UsageError: a pattern means none of them; names it and the nearest part.
    """
    names = list(names)
    for pattern in patterns:
        if not any(matches(pattern, name) for name in names):
            parts = list(dict.fromkeys(part for name in names for part in _parts(name)))
            raise UsageError(f"{key}: {pattern} matches no {kind} of this recognizer; {nearest(pattern, parts)}")
    return [name for name in names if any(matches(pattern, name) for pattern in patterns)]


def by_pattern(values: Mapping[str, float], names: Sequence[str], key: str) -> dict[str, float]:
    """Name → the value of the pattern that means it; names that none means are left out.

    Raises:
        UsageError: a pattern means no name, or two patterns that mean one have different values.
    """
    valued: dict[str, tuple[str, float]] = {}
    for pattern, value in values.items():
        for name in chosen([pattern], names, key):
            before = valued.setdefault(name, (pattern, value))
            if before[1] != value:
                raise UsageError(f"{key}: {before[0]} and {pattern} both mean {name}, with different values")
    return {name: value for name, (_, value) in valued.items()}


def _parts(name: str) -> Iterable[str]:
    words = name.split(".")
    return (".".join(words[:count]) for count in range(1, len(words) + 1))
