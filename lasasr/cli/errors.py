"""Hydra's and OmegaConf's errors, said in one line that names the nearest valid names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import yaml
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lasasr.cli import groups
from lasasr.cli.other_names import our_name
from lasasr.cli.session import STORED, Session
from lasasr.errors import UsageError, nearest

# of Hydra: config group → choice that a package brings → its name
PLUGINS: Final[Mapping[str, Mapping[str, str]]] = {
    "hydra/sweeper": {
        "optuna": "hydra-optuna-sweeper",
        "ax": "hydra-ax-sweeper",
        "nevergrad": "hydra-nevergrad-sweeper",
    },
    "hydra/launcher": {
        "submitit_local": "hydra-submitit-launcher",
        "submitit_slurm": "hydra-submitit-launcher",
        "joblib": "hydra-joblib-launcher",
        "ray": "hydra-ray-launcher",
    },
}

_NAMED: Final = 4  # choices that a message names

# Hydra asserts where it could say that an override of several choices does not stand last in `defaults`.
# Where a recipe names itself, or two name each other, it recurses.
WRONG = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, AssertionError, RecursionError)


@contextmanager
def explained(session: Session, overrides: Sequence[str]) -> Iterator[None]:
    """Turn what Hydra raises while composing into `UsageError`."""
    try:
        yield
    except WRONG as error:
        raise explain(session, overrides, error) from error


def explain(session: Session, overrides: Sequence[str], error: Exception) -> UsageError:
    """The line for `error`, from its kind and, where that says too little, from looking at the overrides again."""
    match error:
        case OverrideParseException():
            return UsageError(_unreadable(error.override))
        case MissingConfigException():
            return UsageError(_missing_file(session, error))
        case yaml.MarkedYAMLError():
            mark = error.problem_mark
            place = f"{mark.name}:{mark.line + 1}" if mark else f"recipe {session.name}"
            return UsageError(f"{place} is not valid YAML: {error.problem or error.context}")
        case AssertionError():
            return UsageError(
                f"recipe {session.name}: Hydra cannot read its defaults; `override /group: ...` stands after all else "
                "there, but for _self_"
            )
        case RecursionError():
            return UsageError(f"recipe {session.name}: its defaults name each other without end: leave one of them out")
        case OmegaConfBaseException() if error.full_key:
            return UsageError(f"{error.full_key}: {first_line(error)}")
    return UsageError(_first_wrong(session, overrides) or f"recipe {session.name}: {first_line(error)}")


def _unreadable(override: str) -> str:
    if "=" not in override and not override.startswith("~"):
        return f"cannot read {override!r}: an override is key=value"
    return f"cannot read {override!r}: quote values with spaces or signs, as in \"key='a value'\""


def _missing_file(session: Session, error: MissingConfigException) -> str:
    group, _, choice = str(error.missing_cfg_file).rpartition("/")
    choices = session.choices(group)
    if package := PLUGINS.get(group, {}).get(choice):
        return f"{group}={choice} comes with a package of its own: pip install {package}"
    if group and choices:
        own = "; choices of your own: hydra.searchpath=[file://FOLDER]" if session.config == STORED else ""
        return f"unknown choice {group}={choice}; {nearest(choice, choices)}{own}"
    return f"recipe {session.name} names {error.missing_cfg_file}, which does not exist; {nearest(choice, choices)}"


def _first_wrong(session: Session, overrides: Sequence[str]) -> str | None:
    try:
        return next(_wrong(session, session.parse(overrides)), None)
    except WRONG:  # the recipe itself does not compose
        return None


def _wrong(session: Session, overrides: Sequence[Override]) -> Iterator[str]:
    """What is wrong with each override that is; those that can be seen without composing first."""
    for override in overrides:
        if not override.key_or_group:
            yield f"cannot read {override.input_line!r}: an override is key=value"
        elif override.is_sweep_override():
            yield _sweep(override, session.choices(override.key_or_group))
        elif session.chooses(override) and not isinstance(override.value(), str | list) and not override.is_delete():
            choices = ", ".join(session.choices(override.key_or_group))
            yield f"{override.input_line}: {override.key_or_group} takes one of {choices}"
    base = foundation(session, overrides)
    for override in overrides:
        if not session.chooses(override) and not override.is_force_add():
            yield from _key(override, base)


def _sweep(override: Override, choices: Sequence[str]) -> str:
    key, _, value = str(override.input_line).partition("=")
    hint = f", or write {key}=[{value}] for a list" if "(" not in value and not choices else ""
    return f"{override.input_line} is a sweep: add -m to run every value{hint}"


def foundation(session: Session, overrides: Sequence[Override]) -> DictConfig:
    """The configuration before any key is set: only the group choices of the command line applied; see `shared`."""
    chosen = [
        str(override.input_line)
        for override in overrides
        if (session.chooses(override) or override.key_or_group == "hydra.searchpath")
        and not override.is_sweep_override()
    ]
    return session.shared(chosen)


def _key(override: Override, base: DictConfig) -> Iterator[str]:
    """What is wrong with the key of an override, seen in the configuration without it."""
    key, value = override.key_or_group, override.value()
    if override.is_add():
        if OmegaConf.select(base, key, throw_on_missing=False) is not None:
            yield f"{override.input_line}: {key} is there already; leave the + out"
        return
    wanted = [f"{key}.{name}" for name in value] if isinstance(value, Mapping) else [key]
    for wanted_key in wanted:
        yield from _path(wanted_key, base)
    if isinstance(value, list) and OmegaConf.is_dict(OmegaConf.select(base, key, throw_on_missing=False)):
        yield f"{override.input_line}: {key} is a part with keys, not a list"


def _path(key: str, base: DictConfig) -> Iterator[str]:
    level: Any = base
    parts = key.split(".")
    for depth, part in enumerate(parts):
        parent = ".".join(parts[:depth])
        if not OmegaConf.is_dict(level):
            way_out = (
                f"; write {parent}={{{'.'.join(parts[depth:])}: ...}}" if OmegaConf.select(base, parent) is None else ""
            )
            yield f"unknown key {key}: {parent} is a value and has no keys below it{way_out}"
            return
        if part not in level:
            yield unknown_key(key, parent, part, base)
            return
        level = level._get_node(part)


def unknown_key(key: str, parent: str, part: str, base: DictConfig) -> str:
    """`key` does not exist: name those like it beside it, and those of its name elsewhere."""
    level = OmegaConf.select(base, parent) if parent else base
    prefix = f"{parent}." if parent else ""
    keys_beside = [f"{prefix}{name}" for name in map(str, level) if name != "hydra"]
    of_name = [other for other in _leaves(base, "") if other.rpartition(".")[2] == part]
    where = f"nearest: {', '.join(of_name)}" if of_name else nearest(key, keys_beside)
    if (other := our_name(part)) is not None and other != key:
        where = f"here it is {other}"
    elif having := elsewhere(key):
        return f"unknown key {key}{having}"
    return f"unknown key {key}; {where} (+{key}=... adds a new one)"


def elsewhere(key: str) -> str:
    """Which other choices of its group have a key, for the middle of a line; "" where none has."""
    group, _, name = key.partition(".")
    having = groups.with_key(group, name) if name and group in groups.names() else []
    shown = f"{', '.join(having[:_NAMED])}{', ...' if len(having) > _NAMED else ''}"
    return f", which the chosen {group} has not; {group}={shown} has" if having else ""


def _leaves(node: DictConfig, prefix: str) -> Iterator[str]:
    for key, child in node.items_ex(resolve=False):
        name = str(key)
        if OmegaConf.is_dict(child) and not child._is_none() and not child._is_missing():
            yield from _leaves(child, f"{prefix}{name}.") if f"{prefix}{name}" != "hydra" else ()
        else:
            yield f"{prefix}{name}"


def first_line(error: BaseException) -> str:
    """The first line of the innermost message; OmegaConf and Hydra append object dumps below it."""
    while isinstance(error.__cause__, OmegaConfBaseException):
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].endswith("raised while composing config:"):  # Hydra quotes OmegaConf below it
        place = next((line.partition(": ")[2] for line in lines if line.startswith("full_key: ")), "")
        return f"{place}: {lines[1]}" if place else lines[1]
    return lines[0] if lines else type(error).__name__
