"""docs/configuration.md: every choice and every key of the configuration, made from configs/ and the annotations.

python scripts/configuration_table.py            print it
python scripts/configuration_table.py --write    put it into docs/configuration.md
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from generated import ROOT, GeneratedPage, cell
from generated import table as rows
from hydra.utils import get_object

from lasasr.cli import groups, yaml_comments
from lasasr.configuration import settings
from lasasr.configuration.arguments import annotations_of
from lasasr.configuration.typed import described

BASES: Final = {"base": settings.Recognition, "lm_base": settings.Language}
_MOST: Final = 4  # choices that are named behind a value


class Key(NamedTuple):
    """One key of one choice."""

    name: str
    default: str
    takes: str
    meaning: str


def sections() -> str:
    """All that the page says of choices and keys."""
    parts = [section(f"Of all recipes (`{name}.yaml`)", table(base_keys(name))) for name in BASES]
    parts += [group_section(group) for group in groups.names()]
    return f"\n{''.join(parts).strip()}\n"


def section(title: str, *tables: str) -> str:
    """A heading and what stands below it."""
    return f"## {title}\n\n" + "\n\n".join(each for each in tables if each) + "\n\n"


def group_section(group: str) -> str:
    """The choices of a group and their keys."""
    choices = groups.choices(group)
    listed = [["choice", "what it is"]]
    listed += [[f"`{group}={choice}`", cell(yaml_comments.title(path, 400))] for choice, path in choices.items()]
    by_choice = {choice: list(keys_of(path)) for choice, path in choices.items()}
    return section(f"`{group}`", rows(listed), table(joined(by_choice), group))


def joined(by_choice: Mapping[str, list[Key]]) -> list[Key]:
    """One row per key, with the choices in brackets where they differ or lack it."""
    of_key: dict[str, dict[str, Key]] = defaultdict(dict)
    for choice, keys in by_choice.items():
        for key in keys:
            of_key[key.name][choice] = key
    merged = []
    for name, having in of_key.items():
        everywhere = len(having) == len(by_choice)
        merged.append(
            Key(
                name,
                _by_choice({choice: key.default for choice, key in having.items()}, everywhere),
                _by_choice({choice: key.takes for choice, key in having.items()}, True),
                next((key.meaning for key in having.values() if key.meaning), ""),
            )
        )
    return merged


def _by_choice(values: Mapping[str, str], everywhere: bool) -> str:
    """The value, or each with the choices that have it, the most frequent first."""
    choices: dict[str, list[str]] = defaultdict(list)
    for choice, value in values.items():
        choices[value].append(choice)
    if len(choices) == 1 and everywhere:
        return next(iter(choices))
    ordered = sorted(choices.items(), key=lambda item: -len(item[1]))
    return "; ".join(f"{value} ({_some(having)})" for value, having in ordered)


def _some(choices: list[str]) -> str:
    more = len(choices) - _MOST
    return ", ".join(choices) if more <= 1 else f"{', '.join(choices[:_MOST])} and {more} more"


def keys_of(path: Path) -> Iterator[Key]:
    """The keys of a choice."""
    values, comments = values_of(path), groups.keys(path)
    for name, value, hints in leaves(values, _hints(values)):
        yield Key(name, shown(value), takes(name, value, hints), cell(comments.get(name, "")))


def values_of(path: Path) -> dict[str, Any]:
    """What a choice sets, those of its parts before its own."""
    values: dict[str, Any] = {}
    for part in yaml_comments.parts(path):
        beside = path.parent / f"{part.partition('@')[0]}.yaml"
        if beside.is_file():
            values = _merged(values, values_of(beside))
    own = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return _merged(values, {key: value for key, value in own.items() if key != "defaults"})


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(inner, value) if both else value  # type: ignore[arg-type]
    return merged


def leaves(
    values: Mapping[str, Any], hints: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    """(dotted key, value, annotations of its part) of every value that is no part with keys."""
    for key, value in values.items():
        if str(key).startswith("_"):
            continue
        if isinstance(value, Mapping) and value:
            yield from leaves(value, _hints(value), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value, hints


def _hints(values: Mapping[str, Any]) -> Mapping[str, Any]:
    target = values.get("_target_")
    return annotations_of(get_object(target)) if isinstance(target, str) else {}


def takes(name: str, value: Any, hints: Mapping[str, Any]) -> str:
    """What a key takes, by its annotation; else by its value."""
    last = name.rpartition(".")[2]
    if last in hints:
        return cell(described(hints[last], of_objects=True))
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list"}
    return kinds.get(type(value), "")


def base_keys(name: str) -> list[Key]:
    """The keys that stand in base.yaml itself."""
    path = groups.shipped_configs() / f"{name}.yaml"
    values, comments = values_of(path), groups.keys(path)
    hints = annotations_of(BASES[name])
    return [
        Key(key, shown(value), _base_takes(key, value, hints), cell(comments.get(key, "")))
        for key, value, _ in leaves(values, hints)
    ]


def _base_takes(key: str, value: Any, hints: Mapping[str, Any]) -> str:
    section_name, _, name = key.rpartition(".")
    of_section = annotations_of(hints[section_name]) if section_name in hints else hints
    return takes(name, value, of_section)


def shown(value: Any) -> str:
    """A default, as a command line would have it."""
    if isinstance(value, list):
        return cell(f"[{','.join(map(_plain, value))}]")
    return cell(_plain(value))


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{}" if not value else "{...}"
    plain = {None: "null", True: "true", False: "false"}
    return plain[value] if isinstance(value, bool | None) else str(value)


def table(keys: list[Key], group: str = "") -> str:
    """Keys as a table; "" where there are none."""
    if not keys:
        return ""
    prefix = f"{group}." if group else ""
    listed = [["key", "default", "takes", "meaning"]]
    listed += [[f"`{prefix}{key.name}`", key.default, key.takes, key.meaning] for key in keys]
    return rows(listed)


PAGE: Final = GeneratedPage(ROOT / "docs" / "configuration.md", "scripts/configuration_table.py", {"": sections})

if __name__ == "__main__":
    PAGE.main(__doc__)
