"""`lasasr recipes`: what there is to begin with."""

from __future__ import annotations

from typing import Final

from lasasr.cli.arguments import Parser

_WIDTH: Final = 118  # characters of a line
EPILOG = """\
A yaml file of yours is a recipe, too: lasasr train my/recipe.yaml. What a recipe can change: lasasr options."""


def run(arguments: list[str]) -> int:
    """Print every shipped recipe with its line."""
    Parser("recipes", "List the recipes that come with lasasr.", EPILOG).read(arguments)
    for line in lines():
        print(line)
    return 0


def lines() -> list[str]:
    """A line per recipe: its name, and what its file says that it is."""
    from lasasr.cli import recipes, yaml_comments

    names = recipes.shipped()
    width = max(map(len, names))
    folder = recipes.shipped_folder()
    return [
        f"{name:{width}}  {yaml_comments.title(folder / f'{name}.yaml', _WIDTH - width)}".rstrip() for name in names
    ]
