"""Is the value of an override of the kind its key takes? Found at once, not after ten minutes of preparation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from lasasr.configuration.arguments import annotations_of
from lasasr.configuration.sections import Plain
from lasasr.configuration.typed import matches
from lasasr.errors import UsageError

TRAINER: Final = "lightning.pytorch.Trainer"
# What its annotations say of the numbers in configs/trainer, of plain values: loading Lightning to see them takes 3 s.
TRAINER_NUMBERS: Final[Mapping[str, Any]] = {
    "devices": list[int] | str | int,
    "num_nodes": int,
    "max_epochs": int | None,
    "max_steps": int,
    "gradient_clip_val": int | float | None,
    "accumulate_grad_batches": int,
    "val_check_interval": int | float | str | dict[str, int] | None,
    "check_val_every_n_epoch": int | None,
    "log_every_n_steps": int | None,
    "num_sanity_val_steps": int | None,
    "limit_train_batches": int | float | None,
}
KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", list: "a list"}


def check(
    overrides: Sequence[Override],
    base: DictConfig,
    config: Plain,
    before_loading: Callable[[], None] = lambda: None,
) -> None:
    """Compare each plain `key=value` with the value the yaml files give that key.

    A key that is null in yaml takes anything, one with keys below it takes null, text takes any scalar. A value of
    another kind passes where the annotation of the `_target_`'s own parameter admits it; `++key=value` is not asked.

    Args:
        overrides: those that set keys; group choices, additions and deletions are left out by the caller.
        base: the configuration without them.
        config: the resolved configuration with them.
        before_loading: called before a class is imported to see its annotations.

    Raises:
        UsageError: names the override and the kind that is expected.
    """
    for override in overrides:
        key = override.key_or_group
        before = OmegaConf.select(base, key, throw_on_resolution_failure=False, throw_on_missing=False)
        try:
            after = _at(config, key)
        except (KeyError, IndexError):
            raise UsageError(f"{override.input_line}: {key} is deleted as well; leave one of the two out") from None
        if _same_kind(before, after):
            continue
        if not _admitted(config, key, after, before_loading):
            raise UsageError(
                f"{override.input_line}: {key} takes {_kind(before)} (it is {_shown(before)}), got {_written(after)}"
                f"{f'; write {key}=[{after}]' if OmegaConf.is_list(before) else ''}"
            )


def _at(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = config[part] if isinstance(config, Mapping) else config[int(part)]
    return config


def _same_kind(before: Any, after: Any) -> bool:
    if before is None:
        return True
    if OmegaConf.is_dict(before):
        return after is None or isinstance(after, Mapping)
    if OmegaConf.is_list(before):
        return isinstance(after, list)
    if isinstance(before, bool):
        return isinstance(after, bool)
    if isinstance(before, int | float):
        wanted = (int, float) if isinstance(before, float) else int
        return isinstance(after, wanted) and not isinstance(after, bool)
    return isinstance(after, str | bool | int | float)


def _kind(value: Any) -> str:
    if OmegaConf.is_dict(value):
        return "keys below it"
    if OmegaConf.is_list(value):
        return KINDS[list]
    return KINDS.get(type(value), "text")


def _shown(value: Any) -> str:
    return f"{{{', '.join(map(str, value))}}}" if OmegaConf.is_dict(value) else str(value)


def _written(value: Any) -> str:
    return repr(value) if value not in (None, True, False) else {None: "null", True: "true", False: "false"}[value]


def _admitted(config: Plain, key: str, value: Any, before_loading: Callable[[], None]) -> bool:
    """Whether the key is a parameter of a `_target_` whose annotation takes `value`."""
    parent, _, name = key.rpartition(".")
    part = _at(config, parent) if parent else config
    target = part.get("_target_") if isinstance(part, Mapping) else None
    if not isinstance(target, str):
        return False
    if target == TRAINER and name in TRAINER_NUMBERS:
        return matches(value, TRAINER_NUMBERS[name])
    before_loading()
    from lasasr.configuration import gate

    hints = annotations_of(gate.resolve(target, parent))
    return name in hints and matches(value, hints[name])
