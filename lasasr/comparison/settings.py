"""What of a configuration tells systems apart, and what a system is therefore called."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from lasasr.runs import trained_values

# what changes how training is run or looked at, but not what is trained, and the seed, which makes runs of one system
IDLE: Final = ("seed", "evaluate", "threads", "loading", "alignment", "validation.maps", "checkpoint.every_s")
LONGEST: Final = 60  # characters of a name

Values = dict[str, Any]


class Settings(NamedTuple):
    """The configuration of a run without its seed."""

    values: Values  # dotted key → value
    choices: dict[str, str]  # config group → choice

    @property
    def identity(self) -> str:
        """The same for runs of one system: how the values were chosen does not matter."""
        return json.dumps(self.values, sort_keys=True)


def settings(config: Mapping[str, Any], search: Mapping[str, Any] | None = None, averaged: int = 0) -> Settings:
    """What a run was trained and decoded with.

    Args:
        config: as config.yaml holds it.
        search: with which the split was decoded, where that may be another than the configured one.
        averaged: checkpoints whose mean the run is; 0: it is no mean.
    """
    kept = trained_values(config)
    choices = {str(group): str(choice) for group, choice in config.get("choices", {}).items()}
    if search is not None:
        if search != kept.get("search"):
            choices["search"] = str(search.get("_target_", "another")).rpartition(".")[2]
        kept["search"] = search
    if averaged:
        kept["averaged"] = averaged
    return Settings({key: value for key, value in flattened(kept) if not _below(key, IDLE)}, choices)


def flattened(values: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its dotted key; 1.0 is 1, as in a run's fingerprint."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flattened(value, f"{place}{key}.")
        else:
            yield f"{place}{key}", int(value) if isinstance(value, float) and value.is_integer() else value


def differing(systems: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys whose values are not the same in all; a key that only some have is one of them."""
    keys = dict.fromkeys(key for one in systems for key in one)
    absent = object()
    return [key for key in keys if any(one.get(key, absent) != systems[0].get(key, absent) for one in systems)]


def names(systems: Sequence[Settings]) -> list[str]:
    """A name for each by the keys that differ: `attend=dot`, `attend=location attend.dim=64`.

    A choice stands for all it brings along; below it only what differs between systems of the same choice is named. An
    option that is off (0, false, null) and that some do not have at all, for it is younger than their runs, is named
    only if nothing else tells systems apart. A single system is named by its attention.
    """
    if len(systems) == 1:
        attend = systems[0].choices.get("attend")
        return [f"attend={attend}" if attend else "the system"]
    groups = differing([one.choices for one in systems])
    named = [_name(one, systems, groups, off=False) for one in systems]
    if len(set(named)) < len(named):
        named = [_name(one, systems, groups, off=True) for one in systems]
    return [numbered(name, named[:place].count(name)) for place, name in enumerate(named)]


def _name(one: Settings, systems: Sequence[Settings], groups: Sequence[str], off: bool) -> str:
    words = [f"{group}={one.choices[group]}" for group in groups if group in one.choices and _alters(group, systems)]
    for key in differing([other.values for other in systems]):
        chosen = [group for group in groups if _below(key, (_package(group),))]
        alike = [other.values for other in systems if all(_choice(other, g) == _choice(one, g) for g in chosen)]
        silent = not off and not one.values.get(key) and not all(key in other for other in alike)
        if key in one.values and not silent and key in differing(alike):
            words.append(f"{key}={shown(one.values[key])}")
    name = " ".join(words) or "as the recipe says"
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _alters(group: str, systems: Sequence[Settings]) -> bool:
    """Whether a choice changes any value that counts (`loading=...` does not)."""
    package = (_package(group),)
    return any(_below(key, package) for key in differing([one.values for one in systems]))


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
