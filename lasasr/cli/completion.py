"""Shell completion: `eval "$(lasasr -sc install=bash)"`; verbs and recipes are ours, the overrides Hydra's."""

from __future__ import annotations

import os

from hydra.core.global_hydra import GlobalHydra

from lasasr.cli import recipes, session
from lasasr.errors import UsageError

TAKE_RECIPE = ("prepare", "train", "doctor", "race")


def run(arguments: list[str]) -> int:
    """`install=SHELL`, `uninstall=SHELL`, or `query=SHELL`, which the installed script asks on every Tab."""
    kind, _, shell = arguments[0].partition("=") if len(arguments) == 1 else ("", "", "")
    if kind not in ("install", "uninstall", "query") or shell not in ("bash", "fish", "zsh"):
        raise UsageError("-sc takes install=SHELL or uninstall=SHELL, SHELL one of bash, fish, zsh")
    words = os.environ.get("COMP_LINE", "").split(" ")[1:] if kind == "query" else []
    if kind != "query" or _at_override(words):
        _ask_hydra(arguments[0], words)
    else:
        print(" ".join(_first_words(words)))
    return 0


def _at_override(words: list[str]) -> bool:
    return len(words) > 2 and words[0] in TAKE_RECIPE


def _first_words(words: list[str]) -> list[str]:
    """The verb, or the recipe; nothing elsewhere, so that the shell completes file names."""
    from lasasr.cli.main import VERBS

    if len(words) <= 1:
        return sorted(VERBS)
    return recipes.shipped() if len(words) == 2 and words[0] in TAKE_RECIPE else []


def _ask_hydra(question: str, words: list[str]) -> None:
    """Let Hydra answer as if the line were `lasasr override ...` of a program with this recipe as its config."""
    recipe = words[1] if words else recipes.shipped()[0]
    os.environ["COMP_LINE"] = " ".join(["lasasr", *words[2:]])
    with session.on_recipe(recipe) as opened:
        opened_hydra = GlobalHydra.instance().hydra
        assert opened_hydra is not None
        opened_hydra.shell_completion(opened.config, [question])
