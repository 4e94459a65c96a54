"""The config groups as files: the choices of each, their titles, and the keys that a choice has."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from lasasr.cli import yaml_comments
from lasasr.cli.recipes import Recipe


@cache
def shipped_configs() -> Path:
    """The folder of the shipped groups, in a checkout as in an installed wheel."""
    return Path(str(files("lasasr.configs")))


def roots(recipe: Recipe | None = None) -> list[Path]:
    """The folders in which groups are looked for, the recipe's own first."""
    return [*([recipe.folder] if recipe else []), shipped_configs()]


def names() -> list[str]:
    """The shipped groups."""
    return sorted(path.name for path in shipped_configs().iterdir() if path.is_dir() and list(path.glob("*.yaml")))


def choices(group: str, recipe: Recipe | None = None) -> dict[str, Path]:
    """Choice → its file; a name with `_` is a part of others."""
    found: dict[str, Path] = {}
    for root in reversed(roots(recipe)):
        found |= {path.stem: path for path in (root / group).glob("*.yaml") if not path.name.startswith("_")}
    return dict(sorted(found.items()))


def keys(path: Path) -> dict[str, str]:
    """Key → comment of a choice, those of its parts before its own."""
    found: dict[str, str] = {}
    for part in yaml_comments.parts(path):
        beside = path.parent / f"{part.partition('@')[0]}.yaml"
        if beside.is_file():
            found |= keys(beside)
    own = yaml_comments.comments(path)
    return found | {key: comment or found.get(key, "") for key, comment in own.items()}


def with_key(group: str, key: str) -> list[str]:
    """The shipped choices of a group that have a key."""
    return [choice for choice, path in choices(group).items() if key in keys(path)]
