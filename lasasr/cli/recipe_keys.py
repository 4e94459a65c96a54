"""The keys that a recipe may set; one that nothing reads is a slip of the pen, and would be passed over in silence."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lasasr.configuration.contracts import contract_of, place_kind
from lasasr.errors import UsageError, nearest

NAMED_BY_USERS = ("logger", "callbacks", "adapt")  # sections whose keys are names of the recipe's own


def refuse_unknown(
    config: DictConfig,
    base: DictConfig,
    choices: Iterable[str],
    added: Collection[str],
    left_out: Set[str],
    name: str,
) -> None:
    """Refuse keys that `base` does not have, in it and in those of its sections that hold no part with a `_target_`.

    Args:
        config: composed, interpolations not resolved: a key that another one reads is the recipe's own.
        base: /base or /lm_base, composed alone, with the choices of `config`.
        choices: the config groups of `config`, as `search` or `search@validation.search`.
        added: keys that the command line adds by +.
        left_out: groups that `config` has no choice of: what it says there, it writes out itself.
        name: what messages call the recipe.

    Raises:
        UsageError: a key is unknown.
    """
    groups = {group.rpartition("@")[2] for group in choices} | left_out
    text = OmegaConf.to_yaml(config)
    plain = OmegaConf.to_container(base, resolve=False)
    assert isinstance(plain, dict)
    for key in _unknown(OmegaConf.to_container(config, resolve=False), plain, groups):
        if f"${{{key}" not in text:
            section = key.rpartition(".")[0]
            known_keys = (
                [f"{section}.{name_in_section}" for name_in_section in plain[section]]
                if section
                else sorted(map(str, plain))
            )
            adds = any(each == key or each.startswith(f"{key}.") for each in added)
            raise UsageError(
                f"{'+ adds' if adds else f'recipe {name} sets'} {key}, which nothing reads; {nearest(key, known_keys)}"
            )


def _unknown(config: Any, base: Mapping[Any, Any], groups: Collection[str]) -> Iterator[str]:
    for key, value in config.items():
        if key not in base:
            if key not in groups:
                yield str(key)
        elif key in NAMED_BY_USERS:
            continue
        elif isinstance(value, dict) and isinstance(base[key], dict) and not {"_target_"} & {*value, *base[key]}:
            yield from (
                f"{key}.{inner_key}"
                for inner_key in value
                if inner_key not in base[key] and f"{key}.{inner_key}" not in groups
            )


def refuse_not_taken(config: Any, name: str, place: str = "") -> None:
    """Refuse keys of a part that its `_target_` takes no argument for, before any data is read.

    Targets that may not be imported, or cannot be, are left to `build`, which says so.

    Args:
        config: plain values.
        name: what messages call the recipe.
        place: of `config` in the whole configuration.

    Raises:
        UsageError: a key is unknown.
    """
    if isinstance(config, list):
        for number, value in enumerate(config):
            refuse_not_taken(value, name, f"{place}[{number}]")
    if not isinstance(config, dict):
        return
    prefix = f"{place}." if place else ""
    taken = _taken(config["_target_"], place) if "_target_" in config else None
    supplied = _supplied(place) if config.get("_partial_") else ()
    for key, value in config.items():
        refusal = ""
        if key in supplied:
            refusal = "which the toolkit supplies itself"
        elif taken is not None and not str(key).startswith("_") and key not in taken:
            options = [prefix + option for option in taken if option not in supplied]
            others = nearest(prefix + str(key), options) if options else "it takes no options"
            refusal = f"which {config['_target_']} does not take; {others}"
        if refusal:
            raise UsageError(f"recipe {name} sets {prefix}{key}, {refusal} (~{prefix}{key} leaves it out)")
        refuse_not_taken(value, name, prefix + str(key))


def _supplied(place: str) -> tuple[str, ...]:
    """The arguments that the toolkit adds to a part that stands there."""
    contract = contract_of(place_kind(place))
    return contract.supplied if contract else ()


def _taken(target: object, place: str) -> list[str] | None:
    """The arguments of a class or function; None: any, or not known."""
    from lasasr.configuration import gate

    try:
        resolved = gate.resolve(target, place)
        function = inspect.getattr_static(resolved, "__init__") if isinstance(resolved, type) else resolved
        if function is object.__init__ and inspect.getattr_static(resolved, "__new__") is object.__new__:
            return []
        hints, parameters = typing.get_type_hints(function), dict(inspect.signature(function).parameters)
        if isinstance(resolved, type):  # `self`
            del parameters[next(iter(parameters))]
    except Exception:  # refused, or whatever reading it raises
        return None
    names: list[str] = []
    for name, parameter in parameters.items():
        if parameter.kind != parameter.VAR_KEYWORD:
            names.append(name)
        elif typing.get_origin(hints.get(name)) is typing.Unpack:
            (options,) = typing.get_args(hints[name])
            names += options.__annotations__
        else:
            return None
    return names
