"""`make site-check` has what the commands of pages name: seen here without running them, which takes minutes."""

from __future__ import annotations

import importlib
import itertools
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
page_commands: Any = importlib.import_module("page_commands")
site_check: Any = importlib.import_module("site_check")
site_workplace: Any = importlib.import_module("site_workplace")

TO_RUN = [command for command in page_commands.commands() if site_check.reason(command) is None]
FILE = re.compile(r"[\w/.@-]+\.(wav|flac|mp3|tsv|csv|txt|trn|stm|ctm|jsonl?|arpa|yaml)")
WRITTEN = ("--out", "--html", "--latex", "--csv", "--card", "--json", "--svg")
PLACEHOLDER = re.compile(r"[A-Z]{2,}(_[A-Z]+)?|.*-OF-.*|\.\.\.")
OTHER_RESULT = "test@greedy-1a2b3c4d.json"
TAKE_RUNS_ONCE = ("compare", "adapted")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of the script, with folders in the places of what it trains."""
    root = tmp_path_factory.mktemp("workplace").resolve()
    for name in ("RUN", "ADAPTED", "LMRUN", "SWEEP", "one", "two", "three", "four"):
        (root / "named" / name / "results").mkdir(parents=True)
    (root / "named" / "RUN" / "results" / OTHER_RESULT).touch()
    runs = [f"../{name}" for name in ("one", "two", "three", "four")]
    (root / "named" / "SWEEP" / "sweep.json").write_text(json.dumps({"runs": runs}))
    soundfile.write(root / "spoken.wav", np.zeros(1600), 16_000)
    rows = [(f"u{number}", str(root / "spoken.wav"), "a few words", "speaker") for number in range(3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site_workplace, "_utterances", lambda root, split: rows)
        site_workplace._write_files(root)
    for made in ("comparison.json", "results/attention.json"):  # by `lasasr compare`
        (root / made).parent.mkdir(exist_ok=True)
        (root / made).touch()
    return root


def lacking(words: list[str], root: Path, written: set[str]) -> Iterator[str]:
    """What a command names that is neither in the workplace nor written by a command before it."""
    for before, word in itertools.pairwise(words):
        for name in word.rpartition("=")[2].strip("[]").split(","):
            if before in WRITTEN:
                written.add(name)
            elif (FILE.fullmatch(name) and name not in written and not (root / name).exists()) or (
                PLACEHOLDER.fullmatch(name) and name != "DIR"
            ):
                yield name


def test_what_commands_name_is_there(workplace: Path) -> None:
    written: set[str] = set()
    faults = [
        f"{command.page}: {command.line}: {name}"
        for command in TO_RUN
        for name in lacking(site_check.runnable(command, workplace), workplace, written)
    ]
    assert not faults


def test_what_is_not_there_is_seen(workplace: Path) -> None:
    words = ["ngram", "TEXTS", "--dev=none.txt", "books/one.txt", "--out", "a.arpa", "search.lm=a.arpa", "..."]
    assert list(lacking(words, workplace, set())) == ["TEXTS", "none.txt", "..."]


def test_no_run_is_compared_with_itself(workplace: Path) -> None:
    for command in TO_RUN:
        if command.verb in TAKE_RUNS_ONCE:
            words = site_check.runnable(command, workplace)
            places = [name for word in words for name in word.rpartition("=")[2].split(",") if "/named/" in name]
            assert len(places) == len(set(places)), command


def test_pages_have_the_marks_of_the_tables_that_commands_write(workplace: Path) -> None:
    commands = [command for command in TO_RUN if "--readme" in command.words]
    assert len(commands) >= 6
    for command in commands:
        page = workplace / command.words[command.words.index("--readme") + 1]
        (card,) = [word for word in command.words if word.endswith(".json")]
        mark = f"<!-- lasasr compare {(workplace / card).relative_to(page.parent)} begins -->"
        assert page.read_text().count(mark) == 1, command
