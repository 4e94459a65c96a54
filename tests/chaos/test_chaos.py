"""The quick set of chaos, and that its oracle sees what is wrong."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from chaos_oracle import leftovers, other_files, same, utterances
from warm_command import WarmCommands

TOOL = Path(__file__).parent / "chaos.py"
LINE = (
    r"faults (\d+) \| survived (\d+) \| lost 0 \| twice 0 \| bit-identical (\d+)/(\d+) \| hangs 0 \| "
    r"worst recovery \d+\.\d s"
)


def chaos(warm_commands: WarmCommands, folder: Path, *words: str) -> str:
    """Run the tool; what it says. In a process of its own: what other tests have left would be forked too."""
    words = ("--dir", str(folder), "--keep", str(folder / "failed"), *words)
    done = warm_commands.run_script(TOOL, words, folder, os.environ)
    kept = "\n".join(path.read_text()[-3000:] for path in (folder / "failed").glob("*.txt"))
    assert done.returncode == 0, done.stdout + done.stderr[-3000:] + kept
    return done.stdout


@pytest.mark.parametrize(
    ("words", "least"),
    [(("--quick",), 9), pytest.param(("--each",), 25, marks=pytest.mark.slow)],
    ids=["quick", "each kind"],
)
def test_faults_are_survived(warm_commands: WarmCommands, tmp_path: Path, words: tuple[str, ...], least: int) -> None:
    found = re.search(LINE, said := chaos(warm_commands, tmp_path, *words))
    assert found, said
    faults, survived, identical, compared = map(int, found.groups())
    assert faults == survived >= least
    assert identical == compared > 0


def diary(work: Path, rank: int, *lines: dict[str, Any]) -> None:
    """What a rank has noted."""
    (work / f"diary-{rank}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def batches(epoch: int, step: int, *numbers: int) -> list[dict[str, Any]]:
    """Batches of one utterance each, updates made before them counted from `step`."""
    return [{"epoch": epoch, "step": step + place, "ids": [f"train{number}"]} for place, number in enumerate(numbers)]


def test_what_was_lost_and_what_was_seen_twice_is_counted(tmp_path: Path) -> None:
    all_of = [line for epoch in range(3) for line in batches(epoch, 12 * epoch, *range(12))]
    begins = {"begins": 0}
    diary(tmp_path, 0, begins, *all_of)
    assert utterances(tmp_path, 1) == (0, 0)
    diary(tmp_path, 0, begins, *all_of[:20], {"begins": 15}, *all_of[15:])  # five were trained again: they count once
    assert utterances(tmp_path, 1) == (0, 0)
    diary(tmp_path, 0, begins, *all_of[:20], {"begins": 15}, *all_of[16:])
    assert utterances(tmp_path, 1) == (1, 0)
    diary(tmp_path, 0, begins, *all_of[:20], {"begins": 20}, *all_of[18:])
    assert utterances(tmp_path, 1) == (0, 2)
    diary(tmp_path, 0, begins, *all_of[::2])
    diary(tmp_path, 1, begins, *all_of[1::2])
    assert utterances(tmp_path, 2) == (0, 0)
    assert utterances(tmp_path, 1) == (18, 0)


def test_files_that_differ_and_files_that_are_left_are_named(tmp_path: Path) -> None:
    for name, seconds in (("one", 1.0), ("two", 2.0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "test.json").write_text(json.dumps({"errors": 3, "decode_s": seconds}))
    one, two = tmp_path / "one", tmp_path / "two"
    assert other_files(one, two) == []
    (two / "test.json").write_text(json.dumps({"errors": 4}))
    (two / "more").write_text("")
    assert other_files(one, two) == ["too many: more", "test.json differs"]
    assert leftovers(tmp_path) == []
    (two / ".card.json.tmp").write_text("")
    assert leftovers(tmp_path) == ["left: two/.card.json.tmp"]


def test_numbers_that_differ_in_the_last_bit_are_not_the_same() -> None:
    value = torch.tensor([0.1])
    assert same({"a": [1, 0.1, None, value]}, {"a": [1, 0.1, None, value.clone()]})
    assert not same({"a": value}, {"a": torch.nextafter(value, torch.ones(1))})
    assert not same({"a": value}, {"a": value.double()})
    assert not same([1.0], [1.0, 2.0])
    assert not same({"a": 1}, {"b": 1})
