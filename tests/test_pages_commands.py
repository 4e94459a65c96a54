"""What pages tell to type is taken: commands of all pages compose, keys that pages name exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lasasr.cli.compose import compose
from lasasr.errors import UsageError

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "recipes").glob("*/README.md"))]
COMPOSED = ("train", "prepare", "doctor")  # verbs that take a recipe
COMMAND = re.compile(r"^(?: {4}|\t)(?:[A-Z_]+=\S+ )*lasasr ((?:train|prepare|doctor) .*)$", re.MULTILINE)
BASE = "synthetic/las_char"
TRAINED = ROOT / "tests" / "data" / "v0_1_0" / "work" / "bundles" / "bpe"  # stands for the reader's run, as in RUN
# groups that a bare name cannot stand for, and what makes it stand
BESIDE = {"listen=pretrained": ["~listen.hidden_dim", "listen.layers=last", "listen.weights=folder"]}


def commands(page: Path) -> Iterator[list[str]]:
    """The words behind `lasasr` of each command, as a shell takes them; a line that ends in `\\` goes on."""
    text = re.sub(r"\\\n +", "", page.read_text(encoding="utf-8"))
    for line in COMMAND.findall(text):
        yield shlex.split(line, comments=True)


def composed(words: list[str]) -> bool:
    """Compose the recipe of a command; False where it is a reader's own, or a run."""
    given = [word for word in words[1:] if not word.startswith("-")]
    if not given or not (ROOT / "recipes" / f"{given[0]}.yaml").exists():
        return False
    if any(
        word.startswith("hydra.searchpath=") for word in given
    ):  # parts of the reader's own: tests/test_extending.py
        return False
    sweeps = "-m" in words or "--multirun" in words
    overrides = [
        word for word in given[1:] if ("=" in word or word[0] == "~") and "..." not in word and "glob(" not in word
    ]
    if sweeps:  # one of its jobs
        overrides = [word if set(word) & set("([{") else word.split(",")[0] for word in overrides]
    overrides = [re.sub(r"^warm_start\.run=[A-Z]+$", f"warm_start.run={TRAINED}", word) for word in overrides]
    compose(given[0], overrides)
    return True


SHOWN = sorted({(page.relative_to(ROOT).as_posix(), shlex.join(words)) for page in PAGES for words in commands(page)})


def test_pages_show_commands() -> None:
    assert len(SHOWN) > 50


@pytest.mark.parametrize("page", sorted({page for page, _ in SHOWN}))
def test_the_commands_of_a_page_compose(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LASASR_DATA", "LASASR_PREPARED", "LASASR_RUNS", "LASASR_ALLOW"):
        monkeypatch.delenv(name, raising=False)
    refused = []
    for shown, line in SHOWN:
        if shown == page:
            try:
                composed(shlex.split(line))
            except UsageError as error:
                refused.append(f"lasasr {line}: {error}")
    assert not refused


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
