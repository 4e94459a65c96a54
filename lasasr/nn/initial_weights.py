"""What a model's weights are before training: drawn by (seed, name of the part), or brought by a part itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import nn

from lasasr.errors import UsageError

_read_later = ContextVar("_read_later", default=False)


def initialise(module: nn.Module, seed: int, prefix: str = "") -> None:
    """Draw every part's initial weights from a generator keyed by (seed, name of the part).

    Changing one part (another attention, say) then leaves the start of all others equal, so that two runs of one seed
    are a pair. Children come before parents, whose `reset_parameters` may set what theirs left. A part whose attribute
    `pretrained` is true brings its weights: they and those of all parts in it stay as they are.

    Args:
        seed: of the run.
        prefix: of the parts' names, for a module that stands beside the model (`frontend.`, `loss.`).

    Raises:
        UsageError: `pretrained` of a part is neither true nor false, or the `reset_parameters` of another part changes
            weights that it brings.
    """
    brought = _brought(module)
    parameters = {f"{name}.{own}": p for name, part in brought.items() for own, p in part.named_parameters()}
    left_alone = {id(part) for whole in brought.values() for part in whole.modules()}
    for name, part in reversed(list(module.named_modules())):
        reset = None if id(part) in left_alone else _reset_of(part)
        if reset is None:
            continue
        versions = {key: parameter._version for key, parameter in parameters.items()}
        with drawn_by(seed, f"{prefix}{name}"):
            reset()
        if changed := next((key for key, parameter in parameters.items() if parameter._version != versions[key]), None):
            raise UsageError(
                f"{changed} is pretrained, but {name or 'the model'} ({type(part).__name__}) draws it anew in its "
                "reset_parameters; give that part pretrained=True too, or let it leave this weight alone"
            )


@contextmanager
def drawn_by(seed: int, name: str) -> Iterator[None]:
    """Random numbers on the CPU come from a generator keyed by (seed, name), and afterwards as if nothing had been."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(int.from_bytes(digest[:7], "little"))
    try:
        yield
    finally:
        torch.set_rng_state(state)


def built_by(seed: int, name: str, build: Callable[[], Any]) -> Any:
    """`build()`, with whatever its constructor draws keyed by (seed, name of the part).

    That is what parameters begin with that belong to no `reset_parameters`.
    """
    with drawn_by(seed, f"{name} as built"):
        return build()


def wanted() -> bool:
    """Whether a part that is being built and brings weights should read them now.

    It is false where all weights are read from a bundle afterwards: the file they once came from need not be there.
    """
    return not _read_later.get()


@contextmanager
def read_later() -> Iterator[None]:
    """What is built here gets all its weights from a bundle afterwards."""
    token = _read_later.set(True)
    try:
        yield
    finally:
        _read_later.reset(token)


def _brought(module: nn.Module) -> dict[str, nn.Module]:
    """The outermost parts that say of themselves that they bring their weights, by name."""
    outermost: dict[str, nn.Module] = {}
    inside: set[int] = set()
    for name, part in module.named_modules():
        if id(part) not in inside and _is_pretrained(name, part):
            outermost[name] = part
            inside |= {id(inner) for inner in part.modules()}
    return outermost


def _is_pretrained(name: str, part: nn.Module) -> bool:
    pretrained: Any = part._modules.get("pretrained", getattr(part, "pretrained", False))
    if not isinstance(pretrained, bool):
        what = type(pretrained).__name__ if isinstance(pretrained, nn.Module) else repr(pretrained)
        raise UsageError(
            f"{name or 'the model'} ({type(part).__name__}): its attribute pretrained says whether it brings its "
            f"weights, so it must be True or False, got {what}"
        )
    return pretrained


def _reset_of(part: nn.Module) -> Callable[[], Any] | None:
    """`reset_parameters`, which torch's own attention calls `_reset_parameters`."""
    for name in ("reset_parameters", "_reset_parameters"):
        if callable(method := getattr(part, name, None)):
            reset: Callable[[], Any] = method
            return reset
    return None
