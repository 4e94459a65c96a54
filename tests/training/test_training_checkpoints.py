"""A checkpoint is whole or not there, and what is damaged is seen before it is believed."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch
from commandline import Command
from power_cut import Disk, power_cuts

from lasasr.artifacts.files import read_json, write_json
from lasasr.errors import LasasrError
from lasasr.training.checkpoints import BEFORE, LAST, WholeFiles, clear, damage, newest


def state(step: int) -> dict[str, Any]:
    return {"global_step": step, "state_dict": {"weight": torch.full((1000,), float(step))}}


def written(folder: Path, *steps: int, name: str = LAST) -> Path:
    for step in steps:
        WholeFiles().save_checkpoint(state(step), folder / name)
    return folder / name


def step_of(path: Path | None) -> int:
    assert path is not None
    return int(torch.load(path, weights_only=True)["global_step"])


def flip(path: Path, place: float = 0.5) -> None:
    """Change one bit."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("links", [True, False])
def test_the_one_before_the_last_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    last = written(tmp_path, 1, 2, 3)
    assert (step_of(last), step_of(tmp_path / BEFORE)) == (3, 2)
    assert {path.name for path in tmp_path.iterdir()} == {LAST, BEFORE}


def test_a_full_disk_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    last, plain = written(tmp_path, 1, 2), torch.save

    def half(value: Any, file: BinaryIO) -> None:
        plain(value, file)
        file.truncate(file.tell() // 2)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(LasasrError, match=r"last.ckpt .*No space left on device.*--resume"):
        written(tmp_path, 3)
    assert (step_of(last), step_of(tmp_path / BEFORE)) == (2, 1)
    assert {path.name for path in tmp_path.iterdir()} == {LAST, BEFORE}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_power_cut_leaves_a_whole_checkpoint_at_any_moment(tmp_path: Path) -> None:
    last = written(tmp_path, 1, 2)
    two, seen = last.read_bytes(), list[tuple[set[bytes | None], set[bytes | None]]]()

    def look(disk: Disk) -> None:
        seen.append((disk.possible(last), disk.possible(tmp_path / BEFORE)))

    with power_cuts(tmp_path, look) as disk:
        written(tmp_path, 3)
        look(disk)
    three = last.read_bytes()
    assert all(newest <= {two, three} for newest, _ in seen)
    assert seen[-1] == ({three}, {two})
    assert len(seen) > 6


def test_a_worker_that_is_lost_meanwhile_is_no_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch raises it wherever the parent is."""

    def lose(*_: Any) -> None:
        raise RuntimeError("DataLoader worker (pid 17) is killed by signal: Killed. ")

    monkeypatch.setattr(torch, "save", lose)
    with pytest.raises(LasasrError, match=r"^a worker of the data loader, process 17, was killed by signal: Killed;"):
        written(tmp_path, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_torch_says_when_a_disk_is_full() -> None:
    with pytest.raises((OSError, RuntimeError), match="space"), Path("/dev/full").open("wb") as file:
        torch.save(state(1), file)


def test_a_flipped_bit_that_torch_reads_without_a_word_is_seen(tmp_path: Path) -> None:
    last = written(tmp_path, 7)
    assert damage(last) is None
    flip(last)
    assert not torch.equal(torch.load(last, weights_only=True)["state_dict"]["weight"], torch.full((1000,), 7.0))
    assert "checksum" in str(damage(last))


@pytest.mark.parametrize("size", [0, 1, 100, 3000])
def test_a_truncated_file_is_damaged(tmp_path: Path, size: int) -> None:
    last = written(tmp_path, 1)
    last.write_bytes(last.read_bytes()[:size])
    assert damage(last)


def test_the_newest_whole_one_is_found(tmp_path: Path) -> None:
    assert newest(tmp_path) == (None, [])
    for step in (3, 12):
        written(tmp_path, step, name=f"step={step}-wer={step}.00.ckpt")
    last = written(tmp_path, 13, 14)
    assert newest(tmp_path) == (last, [])
    flip(last)
    path, faults = newest(tmp_path)
    assert (step_of(path), len(faults)) == (13, 1)
    assert str(last) in faults[0]
    (tmp_path / BEFORE).write_bytes(b"")
    path, faults = newest(tmp_path)
    assert (step_of(path), len(faults)) == (12, 2)
    last.unlink()
    for one in tmp_path.glob("step=*.ckpt"):
        flip(one)
    with pytest.raises(LasasrError, match=r"before.ckpt is damaged.*step=12.*--fresh"):
        newest(tmp_path)


def test_one_that_is_not_the_runs_is_passed_over_as_a_damaged_one_is(tmp_path: Path) -> None:
    before, last = written(tmp_path, 6, name=BEFORE), tmp_path / LAST
    written(tmp_path, 7, name=LAST)
    path, faults = newest(tmp_path, lambda path: "of another" if path == last else None)
    assert path == before
    assert faults == [f"{last} is no checkpoint of this run (of another)"]
    with pytest.raises(LasasrError, match=r"last.ckpt is no checkpoint of this run \(x\); .*--fresh"):
        newest(tmp_path, lambda path: "x")


def test_what_a_killed_process_was_writing_is_cleared_away(tmp_path: Path) -> None:
    last = written(tmp_path, 1)
    (tmp_path / ".last.ckpt.x1y2.tmp").write_bytes(b"half")
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == [last]


@pytest.mark.slow
def test_a_run_goes_on_from_the_last_good_one_and_says_so(tiny_run: Path, lasasr: Command, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    write_json(run / "card.json", read_json(run / "card.json") | {"status": "unfinished"})
    flip(run / "checkpoints" / LAST, 0.4)
    done = lasasr("train", "--resume", str(run))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("last.ckpt is damaged") == 1
    assert "going on from" in done.stderr
    assert read_json(run / "card.json")["steps"] == read_json(tiny_run / "card.json")["steps"]
    for path in (run / "checkpoints").glob("*.ckpt"):
        path.write_bytes(b"")
    write_json(run / "card.json", read_json(run / "card.json") | {"status": "unfinished"})
    done = lasasr("train", "--resume", str(run))
    assert done.returncode == 1
    assert "--fresh" in done.stderr.splitlines()[-1]
