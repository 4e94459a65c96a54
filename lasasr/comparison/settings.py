"""The part of a configuration that distinguishes systems, and the names of systems derived from it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from lasasr.configuration import identity as identities
from lasasr.configuration.identity import Values
from lasasr.configuration.sections import Plain
from lasasr.configuration.signature_defaults import as_text

LONGEST: Final = 60  # characters of a name
CUT: Final = "…"  # the end of a longer one


class Settings(NamedTuple):
    """The configuration of a run without its seed and without what does not change what is trained."""

    values: Values  # dotted key → value, as far as the configuration has them
    normal: Values  # the same without keys at their default: an absent key means that
    choices: dict[str, str]  # config group → choice

    @property
    def identity(self) -> str:
        """The same for runs of one system: how the values were chosen does not matter, nor which version wrote them."""
        return as_text(self.normal)


def settings(plain: Plain, search: Mapping[str, Any] | None = None, averaged: int = 0) -> Settings:
    """The settings that a run was trained and decoded with.

    Args:
        plain: the configuration as config.yaml holds it.
        search: with which the split was decoded, where that may be another than the configured one.
        averaged: checkpoints whose mean the run is; 0: it is no mean.
    """
    kept = dict(plain)
    choices = {str(group): str(choice) for group, choice in plain.get("choices", {}).items()}
    if search is not None:
        if search_settings(search).identity != search_settings(kept.get("search")).identity:
            choices["search"] = str(search.get("_target_", "another")).rpartition(".")[2]
        kept["search"] = search
    if averaged:
        kept["averaged"] = averaged
    return Settings(identities.trained_values(kept), identities.normal_form(kept), choices)


def search_settings(search: Any) -> Settings:
    """Of a search alone; its keys begin with `search.`."""
    alone = {"search": search} if search else {}
    return Settings(identities.trained_values(alone), identities.normal_form(alone), {})


def differing(systems: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys whose values are not the same in all; a key that only some have is one of them."""
    first, *others = systems
    keys = dict.fromkeys(key for system in systems for key in system)
    different = {key for other in others for key in identities.differing(dict(first), dict(other))}
    return [key for key in keys if key in different]


def names(systems: Sequence[Settings]) -> list[str]:
    """A name for each by the keys that differ: `attend=dot`, `attend=location attend.dim=64`.

    A choice stands for all keys that it sets; of these only keys that differ between systems of the same choice are
    named. A single system is named by its attention.
    """
    if len(systems) == 1:
        attend = systems[0].choices.get("attend")
        return [f"attend={attend}" if attend else "the system"]
    groups = differing([system.choices for system in systems])
    named = [_name(system, systems, groups) for system in systems]
    return [numbered(name, named[:index].count(name)) for index, name in enumerate(named)]


def _name(system: Settings, systems: Sequence[Settings], groups: Sequence[str]) -> str:
    words = [
        f"{group}={system.choices[group]}" for group in groups if group in system.choices and _alters(group, systems)
    ]
    for key in differing([other.normal for other in systems]):
        chosen = [group for group in groups if _below(key, (_package(group),))]
        alike = [other.normal for other in systems if all(_choice(other, g) == _choice(system, g) for g in chosen)]
        if key in system.values and key in differing(alike):
            words.append(f"{key}={shown(system.values[key])}")
    name = " ".join(words) or "as the recipe says"
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}{CUT}"


def _alters(group: str, systems: Sequence[Settings]) -> bool:
    """Whether a choice changes any value that counts (`loading=...` does not)."""
    package = (_package(group),)
    return any(_below(key, package) for key in differing([system.normal for system in systems]))


def _choice(system: Settings, group: str) -> str | None:
    return system.choices.get(group)


def _package(group: str) -> str:
    """The key below which the values of a group are: `search@validation.search` → `validation.search`."""
    return group.partition("@")[2] or group.replace("/", ".")


def _below(key: str, prefixes: Sequence[str]) -> bool:
    return any(key == prefix or key.startswith(f"{prefix}.") for prefix in prefixes)


def numbered(name: str, before: int) -> str:
    """A name that is used `before` times already: with a number from the second use on."""
    return f"{name} ({before + 1})" if before else name


def shown(value: Any) -> str:
    """A value as it is written on a command line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
