"""docs/extending.md, done as it says: its files in an empty folder, its commands, its messages word for word."""

from __future__ import annotations

import json
import os
import re
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import NamedTuple

import torch
import yaml
from safetensors.torch import load_file
from warm_command import WarmCommands

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
# group → where its part stands in the configuration
OWN = {group: group for group in ("corpus", "frontend", "listen", "attend", "spell", "loss", "optimizer", "schedule")}
OWN |= {"scorer": "search.scorers.pace", "logger": "logger.lines", "callbacks": "callbacks.enough"}


class Block(NamedTuple):
    """A fenced block."""

    language: str
    text: str


class Command(NamedTuple):
    """A line of the page; `refusal` is what it must say where it is a wrong use."""

    line: str
    refusal: str | None = None


def blocks(page: str = PAGE) -> list[Block]:
    return [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)]


def files() -> dict[str, str]:
    """File name → text, of the blocks that begin with a name (below `# @package`, which must be the first line)."""
    texts = [block.text for block in blocks() if block.language in ("python", "yaml")]
    return {text.removeprefix("# @package").partition("# ")[2].partition("\n")[0]: text for text in texts}


def commands() -> list[Command]:
    """All of the page, in its order."""
    listed: list[Command] = []
    for block in blocks():
        lines = block.text.splitlines()
        if block.language == "sh":
            listed += map(Command, lines)
        elif block.language == "console":
            typed, refusal = lines
            listed.append(Command(typed.removeprefix("$ "), refusal))
    return listed


def played(warm_commands: WarmCommands, folder: Path) -> list[dict[str, str]]:
    """What each command of the page gave: `status`, `out`, `error`."""
    for name, text in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("LASASR_", "PYTHONPATH"))}
    lines = json.dumps([command.line for command in commands()])
    variables = {**outside, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    done = warm_commands.run_script(ROOT / "tests" / "page_shell.py", [], folder, variables, lines)
    assert done.returncode == 0, done.stderr
    results: list[dict[str, str]] = json.loads(done.stdout.splitlines()[-1])
    return results


def faults(results: list[dict[str, str]]) -> list[str]:
    """Where a command did otherwise than the page says."""
    found = []
    for command, result in zip(commands(), results, strict=True):
        said = result["error"].splitlines()[-1:]
        if command.refusal is None and result["status"] != 0:
            found.append(f"$ {command.line}\n{result['error']}{result['out'][-2000:]}")
        elif command.refusal is None and command.line.startswith("lasasr check") and result["error"]:
            found.append(f"$ {command.line}\n{result['error']}")  # a warning
        elif command.refusal is not None and (result["status"] not in (1, 2) or said != [command.refusal]):
            found.append(f"$ {command.line}\n{said}\nthe page: {command.refusal}")
    return found


def test_the_page_works_as_it_stands(warm_commands: WarmCommands, tmp_path: Path) -> None:
    results = played(warm_commands, tmp_path)
    assert not faults(results), "\n\n".join(faults(results))

    (run,) = (tmp_path / "runs" / "all").glob("all-*")
    config = yaml.safe_load((run / "config.yaml").read_text())
    targets = {place: reduce(getitem, place.split("."), config)["_target_"] for place in OWN.values()}
    assert {place: target.partition(".")[0] for place, target in targets.items()} == dict.fromkeys(targets, "mine")
    assert " dev/loss_focal " in (run / "lines.txt").read_text()
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert 0.0 < checkpoint["callbacks"]["Enough"]["best"] < float("inf")
    hypothesis, *_ = map(json.loads, (run / "results" / "test.jsonl").read_text().splitlines())
    assert hypothesis["nbest"][0]["scores"].keys() == {"decoder", "pace"}
    assert hypothesis["nbest"][0]["scores"]["pace"] < 0.0

    weights = load_file(tmp_path / "there" / "bundle" / "model.safetensors")
    (root,) = (value for name, value in weights.items() if name.endswith("root"))
    assert root != torch.tensor(0.3), "the front end's parameter was not trained"

    texts = [result["out"] for result in results if result["line"].startswith("lasasr transcribe")]
    from_run, from_bundle = (text.rpartition("\t")[2] for text in texts)
    assert from_run == from_bundle
    assert from_run.strip()

    compared = json.loads((tmp_path / "comparison.json").read_text())
    assert [column["key"] for column in compared["columns"]] == ["letters"]
    assert len(compared["systems"]) == 2


def test_each_part_has_a_file_a_yaml_and_a_wrong_use() -> None:
    sections = [part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE) if part.startswith(("A ", "An "))]
    assert len(sections) == len(OWN) + 1  # and the column
    for section in sections:
        inside = blocks(section)
        column = section.startswith("A column")
        languages = {block.language for block in inside}
        assert {"python", "console"} | (set() if column else {"yaml"}) <= languages, section.partition("\n")[0]


def test_every_yaml_of_the_page_stands_in_the_recipe_of_all_parts() -> None:
    recipe = yaml.safe_load(files()["all.yaml"])
    chosen = {
        re.sub(r"^(override )?/|@.*", "", key): name for one in recipe["defaults"][1:-1] for key, name in one.items()
    }
    chosen["logger"] = chosen["logger"][-1]
    assert {f"{group}/{name}.yaml" for group, name in chosen.items() if group != "search"} == {
        name for name in files() if "/" in name and name.endswith(".yaml")
    }
    assert set(chosen) == {*OWN, "search"}
