"""What an optimizer gets: the parameters that are trained, now or later, each part at its own rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from lasasr.adapt.names import by_pattern, short_name
from lasasr.errors import UsageError
from lasasr.listen.base import StagedEncoder

WARMUP: Final = "warmup_steps"  # of a group


@dataclass(frozen=True)
class PartRates:
    """The rates of an adaptation's parts.

    Args:
        learning_rates: part or pattern → peak rate.
        warmup_steps: part or pattern → updates in which its rate rises from 0.
        later: parameters that are trained later than from the start.
    """

    learning_rates: Mapping[str, float] = field(default_factory=dict)
    warmup_steps: Mapping[str, int] = field(default_factory=dict)
    later: Sequence[nn.Parameter] = ()


def brought(module: nn.Module) -> list[nn.Parameter]:
    """What arrived with weights in an encoder of `module` and is trained, now or later."""
    encoders = [part for part in module.modules() if isinstance(part, StagedEncoder)]
    return [parameter for encoder in encoders for parameter in encoder.brought()]


def trained_parameters(module: nn.Module, rates: PartRates | None = None) -> list[nn.Parameter] | list[dict[str, Any]]:
    """The parameters that are trained, now or later; in groups where one has a rate of its own.

    Those that are trained later have no gradient until then, and optimizers pass over them.

    Raises:
        UsageError: a pattern of `rates` means nothing that is trained.
    """
    if rates is not None and (rates.learning_rates or rates.warmup_steps):
        return _by_part(module, rates)
    encoders = [part for part in module.modules() if isinstance(part, StagedEncoder)]
    groups: list[dict[str, Any]] = [
        {"params": list(encoder.brought()), "lr": encoder.learning_rate}
        for encoder in encoders
        if encoder.learning_rate is not None
    ]
    apart = {id(parameter) for group in groups for parameter in group["params"]}
    rest = [parameter for _, parameter in _trained(module, rates) if id(parameter) not in apart]
    return [{"params": rest}, *groups] if groups else rest


def optimized_count(module: nn.Module, rates: PartRates | None = None) -> int:
    """How many parameters an optimizer holds: those that are trained, now or later."""
    return sum(1 for _ in _trained(module, rates))


def _trained(module: nn.Module, rates: PartRates | None) -> Iterator[tuple[str, nn.Parameter]]:
    """With their short names."""
    later = {id(parameter) for parameter in (*brought(module), *(rates.later if rates else ()))}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad or id(parameter) in later:
            yield short_name(name.removeprefix("recognizer.")), parameter


def _by_part(module: nn.Module, rates: PartRates) -> list[dict[str, Any]]:
    trained = dict(_trained(module, rates))
    names = list(trained)
    speeds = by_pattern(rates.learning_rates, names, "adapt.learning_rates")
    warmups = by_pattern(rates.warmup_steps, names, "adapt.warmup_steps")
    of_encoder = {id(parameter) for parameter in brought(module)}
    own = next((part.learning_rate for part in module.modules() if isinstance(part, StagedEncoder)), None)
    groups: dict[tuple[float | None, float], list[nn.Parameter]] = {(None, 0): []}
    for name, parameter in trained.items():
        speed = speeds.get(name)
        if own is not None and id(parameter) in of_encoder:
            if speed is not None:
                raise UsageError(f"adapt.learning_rates means {name}, which listen.learning_rate={own} is for: set one")
            speed = own
        groups.setdefault((speed, warmups.get(name, 0)), []).append(parameter)
    return [
        {"params": parameters, WARMUP: int(warmup)} | ({} if speed is None else {"lr": speed})
        for (speed, warmup), parameters in groups.items()
        if parameters
    ]


def warm_up(schedule: LRScheduler) -> LRScheduler:
    """Let the rate of each group that has `warmup_steps` rise linearly from 0, on top of the schedule.

    Raises:
        UsageError: the schedule is none of factors on a rate.
    """
    groups = schedule.optimizer.param_groups
    if not any(group.get(WARMUP) for group in groups):
        return schedule
    if not isinstance(schedule, LambdaLR):
        raise UsageError(f"adapt.warmup_steps is for the shipped schedules, not for {type(schedule).__name__}")
    for number, group in enumerate(groups):
        if steps := group.get(WARMUP):
            schedule.lr_lambdas[number] = _risen(schedule.lr_lambdas[number], steps)
            group["lr"] = schedule.base_lrs[number] * schedule.lr_lambdas[number](schedule.last_epoch)
    return schedule


def _risen(factor: Callable[[int], float], steps: int) -> Callable[[int], float]:
    return lambda step: factor(step) * min(1.0, (step + 1) / steps)
