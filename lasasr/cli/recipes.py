"""RECIPE: a name below the shipped recipes, or a yaml file of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from lasasr.errors import UsageError, looked_up, nearest

PACKAGE = "lasasr.recipes"
TABLES = (".tsv", ".csv", ".jsonl", ".json")


@dataclass(frozen=True)
class Recipe:
    """Where a recipe stands.

    `name` is what a run folder is called after; `config` is what Hydra calls it, seen from `folder`.
    """

    name: str
    config: str
    folder: Path


def shipped_folder() -> Path:
    """The folder of the shipped recipes, in a checkout as in an installed wheel."""
    return Path(str(files(PACKAGE)))


def shipped() -> list[str]:
    """Names of the shipped recipes, sorted."""
    root = shipped_folder()
    paths = (path for path in root.rglob("*.yaml") if not path.name.startswith("_"))
    return sorted(path.relative_to(root).with_suffix("").as_posix() for path in paths)


def find(recipe: str) -> Recipe:
    """The recipe a command line names.

    Raises:
        UsageError: there is none; names the nearest.
    """
    own = Path(recipe)
    if own.is_file():
        return _own(own)
    if own.is_dir() and recipe not in shipped():
        raise UsageError(_of_folder(own))
    if own.suffix in (".yaml", ".yml"):
        way_out = f"lasasr recipes lists those that come with lasasr{looked_up(own)}"
        raise UsageError(f"there is no recipe file {recipe}; {way_out}")
    if "=" in recipe:
        raise UsageError(f"RECIPE must come first, but {recipe!r} is an override; recipes: {', '.join(shipped())}")
    if recipe not in shipped():
        raise UsageError(f"unknown recipe {recipe!r}; {nearest(recipe, shipped())} (or give a path to a .yaml file)")
    return Recipe(recipe, recipe, shipped_folder())


def _of_folder(folder: Path) -> str:
    """What a folder is in the place of a recipe."""
    from lasasr.artifacts.run_paths import is_run

    if is_run(folder):
        return f"{folder} is a run, no recipe: lasasr train --resume {folder} goes on with it"
    return f"{folder} is a folder, no recipe; recordings stand behind one: RECIPE corpus=folder corpus.train={folder}"


def _own(path: Path) -> Recipe:
    if path.suffix != ".yaml":
        table = f"; a table stands behind one: RECIPE corpus=table corpus.train={path}" if path.suffix in TABLES else ""
        raise UsageError(f"{path} cannot be a recipe: its name must end in .yaml{table}")
    path = path.resolve()
    root = shipped_folder().resolve()
    if path.is_relative_to(root):
        name = path.relative_to(root).with_suffix("").as_posix()
        return Recipe(name, name, root)
    return Recipe(path.stem, path.stem, path.parent)
