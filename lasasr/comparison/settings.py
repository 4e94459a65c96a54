"""What of a configuration tells systems apart, and what a system is therefore called."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from lasasr.configuration import identity as identities
from lasasr.configuration.identity import Values
from lasasr.configuration.settings import Plain
from lasasr.configuration.signature_defaults import as_text

LONGEST: Final = 60  # characters of a name


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
    """What a run was trained and decoded with.

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
    every = dict.fromkeys(key for one in systems for key in one)
    found = {key for other in others for key in identities.differing(dict(first), dict(other))}
    return [key for key in every if key in found]


def names(systems: Sequence[Settings]) -> list[str]:
    """A name for each by the keys that differ: `attend=dot`, `attend=location attend.dim=64`.

    A choice stands for all it brings along; below it only what differs between systems of the same choice is named. A
    single system is named by its attention.
    """
    if len(systems) == 1:
        attend = systems[0].choices.get("attend")
        return [f"attend={attend}" if attend else "the system"]
    groups = differing([one.choices for one in systems])
    named = [_name(one, systems, groups) for one in systems]
    return [numbered(name, named[:place].count(name)) for place, name in enumerate(named)]


def _name(one: Settings, systems: Sequence[Settings], groups: Sequence[str]) -> str:
    words = [f"{group}={one.choices[group]}" for group in groups if group in one.choices and _alters(group, systems)]
    for key in differing([other.normal for other in systems]):
        chosen = [group for group in groups if _below(key, (_package(group),))]
        alike = [other.normal for other in systems if all(_choice(other, g) == _choice(one, g) for g in chosen)]
        if key in one.values and key in differing(alike):
            words.append(f"{key}={shown(one.values[key])}")
    name = " ".join(words) or "as the recipe says"
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _alters(group: str, systems: Sequence[Settings]) -> bool:
    """Whether a choice changes any value that counts (`loading=...` does not)."""
    package = (_package(group),)
    return any(_below(key, package) for key in differing([one.normal for one in systems]))


def _choice(one: Settings, group: str) -> str | None:
    return one.choices.get(group)


def _package(group: str) -> str:
    """Where a group's values stand: `search@validation.search` → `validation.search`."""
    return group.partition("@")[2] or group.replace("/", ".")


def _below(key: str, places: Sequence[str]) -> bool:
    return any(key == place or key.startswith(f"{place}.") for place in places)


def numbered(name: str, before: int) -> str:
    """A name that stands so many times already."""
    return f"{name} ({before + 1})" if before else name


def shown(value: Any) -> str:
    """A value as a command line would say it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
