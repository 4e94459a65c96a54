"""`lasasr options`: what can be chosen and set, one line each, as the yaml files say it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lasasr.cli.arguments import Parser
from lasasr.errors import UsageError, nearest

if TYPE_CHECKING:
    from lasasr.cli.recipes import Recipe

RECIPE: Final = "synthetic/las_char"
_VALUE_WIDTH: Final = 34
EPILOG = """\
examples:
  lasasr options                     groups and keys
  lasasr options attend              the attentions that there are, and the keys of the one that is chosen
  lasasr options attend=multihead_dot    the keys of another choice
  lasasr options optimizer.lr        one key: its value, kind and meaning
  lasasr options --recipe librispeech/las_100h_bpe1k trainer"""


def run(arguments: list[str]) -> int:
    """Print all groups, one group, or one key."""
    parser = Parser("options", "List what can be chosen and set, with the values of a recipe.", EPILOG)
    parser.add_argument("about", metavar="GROUP|KEY", nargs="?", help="(default: all groups and keys)")
    parser.add_argument("--recipe", default=RECIPE, help=f"whose values are shown (default: {RECIPE})")
    options = parser.read(arguments)

    from lasasr.cli import groups, recipes
    from lasasr.cli.compose import compose

    recipe = recipes.find(options.recipe)
    about, _, choice = (options.about or "").partition("=")
    if choice and choice not in groups.choices(about, recipe):
        raise UsageError(f"unknown choice {options.about}; {nearest(choice, groups.choices(about, recipe))}")
    config = compose(options.recipe, [options.about] if choice else [])
    chosen = config["choices"]
    if not about:
        _print_all(config, chosen, recipe)
    elif about in config and not isinstance(config[about], Mapping) and about not in chosen:
        _print_key(about, config, recipe)
    elif about in chosen or about in groups.names():
        _print_group(about, config, chosen.get(about), recipe, choices=not choice)
    elif isinstance(config.get(about), Mapping):
        _print_keys(about, config[about], _comments_of(about, chosen, recipe))
    else:
        _print_key(about, config, recipe)
    return 0


def _print_all(config: Mapping[str, Any], chosen: Mapping[str, Any], recipe: Recipe) -> None:
    from lasasr.cli import groups

    print("groups (GROUP=CHOICE; lasasr options GROUP lists its choices and keys)")
    for group, choice in chosen.items():
        print(f"  {group:24} {_shown(choice):{_VALUE_WIDTH}} {_others(len(groups.choices(_folder(group), recipe)))}")
    print("keys (KEY=VALUE)")
    for key, value in config.items():
        if key in ("recipe", "choices") or key in chosen:
            continue
        if isinstance(value, Mapping) and value:
            _print_keys(key, value, _comments_of(key, chosen, recipe))
        else:
            _print_line(key, value, _comments_of("", chosen, recipe).get(key, ""))


def _others(count: int) -> str:
    return f"of {count}" if count > 1 else ""


def _print_group(group: str, config: Mapping[str, Any], chosen: Any, recipe: Recipe, choices: bool) -> None:
    from lasasr.cli import groups, yaml_comments

    files = groups.choices(_folder(group), recipe)
    if choices:
        for choice, path in files.items():
            mark = "*" if choice == chosen or (isinstance(chosen, list) and choice in chosen) else " "
            print(f"{mark} {f'{group}={choice}':36} {yaml_comments.title(path)}".rstrip())
    value = config.get(group)
    if isinstance(value, Mapping) and value and chosen:
        print(f"keys of {group}={_shown(chosen)}")
        _print_keys(group, value, _comments_of(group, config["choices"], recipe))


def _print_keys(section: str, values: Mapping[str, Any], comments: Mapping[str, str]) -> None:
    for key, value in values.items():
        if str(key).startswith("_"):
            continue
        if isinstance(value, Mapping) and value and section.count(".") < 2:
            inner = {
                name.partition(".")[2]: comment for name, comment in comments.items() if name.startswith(f"{key}.")
            }
            _print_keys(f"{section}.{key}", value, inner)
        else:
            _print_line(f"{section}.{key}", value, comments.get(str(key), ""))


def _print_line(key: str, value: Any, comment: str) -> None:
    print(f"  {f'{key}={_shown(value)}':{24 + _VALUE_WIDTH}} {comment}".rstrip())


def _print_key(key: str, config: Mapping[str, Any], recipe: Recipe) -> None:
    """One key, with the kind of value that it takes.

    Raises:
        UsageError: there is none; names the nearest.
    """
    level: Any = config
    for part in key.split("."):
        if not isinstance(level, Mapping) or part not in level or part in ("recipe", "choices"):
            raise UsageError(_unknown(key, config))
        level = level[part]
    section, _, name = key.rpartition(".")
    comment = _comments_of(section, config["choices"], recipe).get(name, "")
    _print_line(key, level, comment)
    print(f"  takes {_kind(key, level, config)}")


def _unknown(key: str, config: Mapping[str, Any]) -> str:
    from lasasr.cli import groups
    from lasasr.cli.errors import elsewhere
    from lasasr.cli.other_names import our_name

    if (other := our_name(key.rpartition(".")[2])) and other != key:
        return f"unknown key {key}; here it is {other}"
    if having := elsewhere(key):
        return f"unknown key {key}{having}"
    return f"unknown key {key}; {nearest(key, dict.fromkeys([*groups.names(), *_dotted(config)]))}"


def _dotted(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    listed = []
    for key, value in values.items():
        if key in ("recipe", "choices") or str(key).startswith("_"):
            continue
        listed.append(f"{prefix}{key}")
        if isinstance(value, Mapping):
            listed += _dotted(value, f"{prefix}{key}.")
    return listed


def _kind(key: str, value: Any, config: Mapping[str, Any]) -> str:
    """What a key takes: what the annotation of its part or section says, else what its value is."""
    from lasasr.configuration.typed import described

    hints = _hints(key.rpartition(".")[0], config)
    name = key.rpartition(".")[2]
    return described(hints[name], of_objects=True) if name in hints else _kind_of_value(value)


def _hints(section: str, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The annotations of the part that stands at a section, or of the section's settings."""
    from lasasr.configuration import gate, settings
    from lasasr.configuration.arguments import annotations_of

    part: Any = config
    for step in section.split(".") if section else ():
        part = part[step]
    if isinstance(part.get("_target_"), str):
        return annotations_of(gate.resolve(part["_target_"], section))
    kind: Any = settings.kind_of(config)
    of_all = annotations_of(kind)
    return annotations_of(of_all[section]) if section in of_all else {} if section else of_all


def _kind_of_value(value: Any) -> str:
    from lasasr.cli.values import KINDS

    if value is None:
        return "a value, or null"
    return "keys below it" if isinstance(value, Mapping) else KINDS.get(type(value), "text")


def _comments_of(section: str, chosen: Mapping[str, Any], recipe: Recipe) -> dict[str, str]:
    """Key → comment of a section: of the file that was chosen for its group, else of base.yaml."""
    from lasasr.cli import groups

    parts = section.split(".") if section else []
    for end in range(len(parts), 0, -1):
        group = next((name for name in chosen if name.rpartition("@")[2] == ".".join(parts[:end])), None)
        choice = chosen.get(group) if group else None
        path = groups.choices(_folder(str(group)), recipe).get(str(choice)) if group else None
        if path is not None:
            return _below(groups.keys(path), ".".join(parts[end:]))
    return _below(groups.keys(_base(chosen)), section)


def _below(comments: Mapping[str, str], section: str) -> dict[str, str]:
    prefix = f"{section}." if section else ""
    return {key.removeprefix(prefix): comment for key, comment in comments.items() if key.startswith(prefix)}


def _base(chosen: Mapping[str, Any]) -> Path:
    from lasasr.cli import groups

    return groups.shipped_configs() / ("lm_base.yaml" if "lm" in chosen else "base.yaml")


def _folder(group: str) -> str:
    """The folder of a group: of `search@validation.search`, `search`."""
    return group.partition("@")[0]


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{}" if not value else "{...}"
    if isinstance(value, list):
        return f"[{','.join(map(_shown, value))}]"
    plain = {None: "null", True: "true", False: "false"}
    return plain[value] if isinstance(value, bool | None) else str(value)
