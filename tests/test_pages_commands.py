"""What pages tell to type is taken: commands of all pages compose, keys that pages name exist."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lasasr.cli import session
from lasasr.cli.compose import compose, compose_job
from lasasr.cli.hydra_keys import refuse_idle
from lasasr.cli.main import VERBS
from lasasr.errors import UsageError

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
commands_table: Any = importlib.import_module("commands_table")
page_commands: Any = importlib.import_module("page_commands")
site_check: Any = importlib.import_module("site_check")

ALL = page_commands.commands()
SHOWN = [command for command in ALL if command.words[0] == "lasasr"]
COMPOSED = ("train", "prepare", "doctor", "race")  # verbs that take a recipe
BASE = "synthetic/las_char"
TRAINED = ROOT / "tests" / "data" / "v0_1_0" / "work" / "bundles" / "bpe"  # stands for the reader's run, as in RUN
# groups that a bare name cannot stand for, and what makes it stand
BESIDE = {"listen=pretrained": ["~listen.hidden_dim", "listen.layers=last", "listen.weights=folder"]}


class Composed(NamedTuple):
    """What a command that a page shows composes."""

    recipe: str
    overrides: list[str]
    page: str
    line: str


def to_compose() -> Iterator[Composed]:
    """Of all commands, but those of a reader's own recipe, or a run."""
    for command in SHOWN:
        given = [word for word in command.words[1:] if not word.startswith("-")][1:]
        if command.verb not in COMPOSED or not given or not (ROOT / "recipes" / f"{given[0]}.yaml").exists():
            continue
        if any(word.startswith("hydra.searchpath=") for word in given):  # a reader's parts: tests/test_extending.py
            continue
        overrides = [
            word for word in given[1:] if ("=" in word or word[0] == "~") and "..." not in word and "glob(" not in word
        ]
        if "-m" in command.words or "--multirun" in command.words or command.verb == "race":  # one of its jobs
            overrides = [word if set(word) & set("([{") else word.split(",")[0] for word in overrides]
        overrides = [re.sub(r"^warm_start\.run=[A-Z]+$", f"warm_start.run={TRAINED}", word) for word in overrides]
        yield Composed(given[0], overrides, command.page, command.line)


ALL_COMPOSED = list(to_compose())


def test_pages_show_commands() -> None:
    assert len(SHOWN) > 200
    assert {command.verb for command in SHOWN} >= set(VERBS) - {"recipes"}


@pytest.mark.parametrize("page", sorted({command.page for command in SHOWN}))
def test_the_arguments_of_the_commands_of_a_page_are_taken(page: str) -> None:
    refused = []
    for command in SHOWN:
        if command.page == page:
            try:
                parsed(command.words[1:])
            except UsageError as error:
                refused.append(f"{command.line}: {error}")
    assert not refused


def test_pages_compose_many_recipes() -> None:
    assert len(ALL_COMPOSED) > 60
    assert len({each.recipe for each in ALL_COMPOSED}) > 15


@pytest.mark.parametrize("recipe", sorted({each.recipe for each in ALL_COMPOSED}))
def test_the_commands_with_a_recipe_compose(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one session, as the jobs of a sweep do."""
    for name in ("LASASR_DATA", "LASASR_PREPARED", "LASASR_RUNS", "LASASR_ALLOW"):
        monkeypatch.delenv(name, raising=False)
    refused = []
    with session.on_recipe(recipe) as opened:
        for each in ALL_COMPOSED:
            if each.recipe == recipe:
                try:
                    refuse_idle(each.overrides)
                    compose_job(opened, each.overrides)
                except UsageError as error:
                    refused.append(f"{each.page}: {each.line}: {error}")
    assert not refused


def parsed(words: list[str]) -> None:
    """Read the arguments of a verb with its own parser."""
    general = [word for word in words if word not in ("-v", "--verbose")]
    if general and general[0] in VERBS:
        commands_table.parser_of(general[0]).read(general[1:])
    else:
        assert general[0] in ("--help", "--version", "-sc"), words


def test_an_option_that_a_verb_does_not_have_is_found() -> None:
    with pytest.raises(UsageError, match="--nbests"):
        parsed(["transcribe", "RUN", "a.wav", "--nbests", "5"])


def test_targets_and_scripts_that_pages_name_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for command in ALL:
        program, *words = command.words
        if program == "make":
            assert {word for word in words if "=" not in word} <= targets, command
        for script in [word for word in (program, *words[:1]) if word.startswith("scripts/")]:
            text = (ROOT / script).read_text(encoding="utf-8")
            options = [word for word in words if word.startswith("--") and program == "python"]
            assert all(f'"{option}"' in text for option in options), command


def test_every_reason_for_not_running_a_command_is_that_of_a_command() -> None:
    texts = [f"{command.page} | {command.line}" for command in ALL]
    stale = [pattern for pattern, _ in site_check.NOT_RUN if not any(re.search(pattern, text) for text in texts)]
    assert not stale
    assert sum(site_check.reason(command) is None for command in ALL) > 120
    named = {path for _, why in site_check.NOT_RUN for path in re.findall(r"tests/[\w/.]+", why)}
    assert all((ROOT / path).exists() for path in named)


def names_here() -> Iterator[tuple[str, list[str]]]:
    """(row, what stands in backticks in its last cell) of docs/from-other-toolkits.md."""
    page = (ROOT / "docs" / "from-other-toolkits.md").read_text(encoding="utf-8")
    for row in re.findall(r"^\| (.+) \|$", page, re.MULTILINE):
        theirs, *_, here = row.split(" | ")
        yield theirs, re.findall(r"`([^`]+)`", here)


@cache
def _composed(chosen: str) -> dict[str, Any]:
    return compose(BASE, [chosen, *BESIDE.get(chosen, [])])


def test_names_beside_those_of_other_toolkits_exist() -> None:
    absent = []
    for theirs, codes in names_here():
        words = [word for code in codes for word in code.split() if re.fullmatch(r"[a-z][a-z_0-9.]*(=\S+)?", word)]
        choices = [word for word in words if re.fullmatch(r"[a-z_]+=[a-z_0-9]+", word) and "seed" not in word]
        keys = [word.partition("=")[0] for word in words if "." in word.partition("=")[0]]
        for chosen in choices or ["search=beam_ctc"]:
            try:
                plain = _composed(chosen)
            except UsageError as error:
                absent.append(f"{theirs}: {chosen}: {error}")
                continue
            group = chosen.partition("=")[0]
            absent += [
                f"{theirs}: {key}" for key in keys if key.startswith((f"{group}.", "search.")) and not _has(plain, key)
            ]
        groups = {chosen.partition("=")[0] for chosen in choices}
        others = [key for key in keys if key.partition(".")[0] not in groups]
        absent += [f"{theirs}: {key}" for key in others if not any(_has(base, key) for base in _bases())]
    assert not absent


_MADE: list[dict[str, Any]] = []


def _bases() -> list[dict[str, Any]]:
    """Configurations in which every key of the page that is of no choice beside it can be found."""
    if not _MADE:
        for overrides in (
            [],
            ["listen=conv_blstm"],
            ["listen=blstm"],
            ["listen=conformer"],
            ["attend=scaled_dot"],
            ["corpus=table"],
            ["attend=multihead_dot"],
        ):
            _MADE.append(compose(BASE, overrides))
    return _MADE


def _has(plain: Any, key: str) -> bool:
    for name in key.split("."):
        if not isinstance(plain, dict) or name not in plain:
            return False
        plain = plain[name]
    return True
