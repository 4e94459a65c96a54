"""Ranks share what was divided beforehand: the same numbers for any number of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lasasr.distributed import exchange
from lasasr.distributed.ranks import Ranks


def test_alone_is_the_first_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    alone = Ranks.from_torchrun()
    assert (alone, alone.first) == (Ranks(0, 1), True)
    assert alone.gather("share") == ["share"]
    assert alone.in_turn(lambda: 3) == 3
    assert alone.device("cuda") == "cuda"


def test_one_alone_asks_nobody_though_processes_have_trained_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "gathered", lambda share: pytest.fail("the others have left"))
    assert Ranks().gather("share") == ["share"]


def test_each_rank_has_the_gpu_of_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert Ranks(3, 4).device("cuda") == "cuda:1"
    assert Ranks(3, 4).device("cpu") == "cpu"
    assert not Ranks(3, 4).first


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3])
def test_any_number_of_ranks_finds_the_same(
    world: int, tiny_run: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    results, names = [], []
    for number, launcher in ((1, ()), (world, ("-m", "torch.distributed.run", f"--nproc-per-node={world}"))):
        run = shutil.copytree(tiny_run, tmp_path / str(number))
        command = [sys.executable, *launcher, "-m", "lasasr", "evaluate", str(run), "evaluate.batch_s=5"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        summary = json.loads((run / "results" / "test.json").read_text())
        lines = [json.loads(line) for line in (run / "results" / "test.jsonl").read_text().splitlines()]
        command = [*command[:-1], "search=greedy"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        (other,) = (run / "results").glob("test@greedy-*.json")
        assert json.loads(other.read_text())["utterances"] == 6
        assert json.loads((run / "results" / "test.json").read_text()) == summary
        names.append(other.name)
        texts = [(line["id"], line["hypothesis"]) for line in lines]
        results.append(({**summary, "decode_s": None, "rtf": None}, texts))
    assert results[0] == results[1]
    assert names[0] == names[1]
    assert len({name for name, _ in results[0][1]}) == results[0][0]["utterances"] == 6
