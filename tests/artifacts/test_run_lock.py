"""One writer per run folder, whoever dies and whenever they start."""

from __future__ import annotations

import errno
import fcntl
import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from writers import start_writer, writer

from lasasr.artifacts import run_lock
from lasasr.artifacts.run_lock import FILE, writing
from lasasr.errors import LasasrError

FORK = multiprocessing.get_context("fork")
CONTENDERS = 4


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refusal(folder: Path) -> str:
    with pytest.raises(LasasrError) as caught, writing(folder, "trained"):
        raise AssertionError("let in")
    return str(caught.value)


def test_the_second_is_told_who_writes_and_changes_nothing(tmp_path: Path) -> None:
    with writer(tmp_path, "evaluated") as pid:
        before = contents(tmp_path)
        started = time.monotonic()
        message = refusal(tmp_path)
        assert time.monotonic() - started < 0.5
        assert contents(tmp_path) == before
    expected = rf"{tmp_path} is being evaluated by process {pid} on {socket.gethostname()} since \d\d:\d\d; "
    assert re.fullmatch(f"{expected}wait for it, or stop it with kill {pid}", message), message
    with writing(tmp_path, "trained"):
        pass


def test_a_file_that_its_holder_has_deleted_meanwhile_is_locked_in_vain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened while another process held it, locked when that had deleted it: whoever comes next would see no lock."""
    lock, deleted = fcntl.flock, list[int]()

    def delete_first(descriptor: int, operation: int) -> None:
        if not deleted:
            deleted.append(descriptor)
            (tmp_path / FILE).unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", delete_first)
    with writing(tmp_path, "trained"), (tmp_path / FILE).open("r+") as file, pytest.raises(BlockingIOError):
        lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert deleted


def test_on_another_day_and_another_host_the_line_says_so(tmp_path: Path) -> None:
    with writer(tmp_path):
        note = json.loads((tmp_path / FILE).read_text())
        (tmp_path / FILE).write_text(json.dumps({**note, "host": "node7", "since": "2024-05-06T12:00:00+00:00"}))
        message = refusal(tmp_path)
    assert re.search(r"on node7 since 2024-05-0[567] \d\d:\d\d; wait for it, or stop it there with kill \d+$", message)


@pytest.mark.parametrize(
    "note", ["", "{", "[]", '{"host": 1}', '{"host": "a\\nb", "pid": 1, "since": "x", "work": ""}']
)
def test_a_lock_without_a_readable_note_is_a_lock(tmp_path: Path, note: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "NOTE_PATIENCE_S", 0.05)
    with writer(tmp_path):
        (tmp_path / FILE).write_text(note)
        assert refusal(tmp_path) == (
            f"{tmp_path} is being written by another process, which has not left its name in {tmp_path / FILE}"
        )


def test_one_process_is_refused_by_itself(tmp_path: Path) -> None:
    with writing(tmp_path, "trained"):
        assert f"process {os.getpid()} " in refusal(tmp_path)
    with writing(tmp_path, "trained"):
        pass


def test_a_folder_that_nothing_came_into_goes_with_those_above_it(tmp_path: Path) -> None:
    with pytest.raises(LasasrError, match="wrong"), writing(tmp_path / "runs" / "recipe" / "run", "trained"):
        raise LasasrError("wrong")
    assert list(tmp_path.iterdir()) == []
    with writing(tmp_path / "runs" / "run", "trained"):
        (tmp_path / "runs" / "run" / "card.json").touch()
    assert contents(tmp_path / "runs" / "run") == {"card.json": b""}
    (tmp_path / "empty").mkdir()
    with writing(tmp_path / "empty", "evaluated"):
        pass
    assert (tmp_path / "empty").is_dir()


def test_other_ranks_than_the_first_take_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with writing(tmp_path / "run", "trained"):
        assert not (tmp_path / "run").exists()
    with writer(tmp_path), writing(tmp_path, "trained"):
        pass
    monkeypatch.setenv("RANK", "0")
    with writer(tmp_path):
        refusal(tmp_path)


def test_a_killed_writer_holds_nothing(tmp_path: Path) -> None:
    process = start_writer(tmp_path)
    process.kill()
    process.wait()
    assert json.loads((tmp_path / FILE).read_text())["pid"] == process.pid
    with writing(tmp_path, "trained"):
        assert json.loads((tmp_path / FILE).read_text())["pid"] == os.getpid()
    assert contents(tmp_path) == {}


FORKING = {
    # the child has closed its descriptors before its target begins
    "fork": "import multiprocessing, time; fork = multiprocessing.get_context('fork'); begun = fork.Event(); "
    "child = fork.Process(target=lambda: (begun.set(), time.sleep(60))); child.start(); begun.wait(); "
    "Path('{path}').write_text(str(child.pid))",
    "exec": "import subprocess; child = subprocess.Popen(['sleep', '60'], close_fds=False); "
    "Path('{path}').write_text(str(child.pid))",
}


@pytest.mark.parametrize("how", FORKING)
def test_what_a_killed_writer_has_started_holds_nothing(tmp_path: Path, how: str) -> None:
    process = start_writer(tmp_path, inside=FORKING[how].format(path=tmp_path / "child"))
    process.kill()
    process.wait()
    child = int((tmp_path / "child").read_text())
    try:
        with writing(tmp_path, "trained"):
            os.kill(child, 0)  # it lives still
    finally:
        os.kill(child, 9)


def test_a_forked_process_leaves_the_lock_to_its_parent(tmp_path: Path) -> None:
    with writing(tmp_path, "trained"):
        child = FORK.Process(target=run_through, args=(tmp_path,))
        child.start()
        child.join()
        assert child.exitcode == 0
        ours = json.loads((tmp_path / FILE).read_text())["pid"]
        assert ours == os.getpid()


def run_through(folder: Path) -> None:
    """Is refused, though it has the parent's memory."""
    try:
        with writing(folder, "trained"):
            os._exit(1)
    except LasasrError:
        os._exit(0)


def contend(folder: Path, gates: Any, rounds: int, won: Any) -> None:
    for _ in range(rounds):
        gates.wait()
        try:
            with writing(folder, "trained"):
                with won.get_lock():
                    won.value += 1
                gates.wait()  # until all have tried
        except LasasrError:
            gates.wait()


def test_of_several_that_start_at_once_one_is_let_in(tmp_path: Path) -> None:
    gates, won, rounds = FORK.Barrier(CONTENDERS), FORK.Value("i", 0), 40
    arguments = (tmp_path / "runs" / "run", gates, rounds, won)
    processes = [FORK.Process(target=contend, args=arguments) for _ in range(CONTENDERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0] * CONTENDERS
    assert won.value == rounds


def take_turns(folder: Path, inside: Path, until: float, turns: Any) -> None:
    while time.monotonic() < until:
        try:
            with writing(folder, "trained"):
                os.close(os.open(inside, os.O_CREAT | os.O_EXCL))  # fails where another one is inside
                inside.unlink()
                with turns.get_lock():
                    turns.value += 1
        except LasasrError:
            pass


def test_the_file_comes_and_goes_and_never_two_are_inside(tmp_path: Path) -> None:
    turns = FORK.Value("i", 0)
    arguments = (tmp_path / "runs" / "run", tmp_path / "inside", time.monotonic() + 1.0, turns)
    processes = [FORK.Process(target=take_turns, args=arguments) for _ in range(CONTENDERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0] * CONTENDERS
    assert turns.value > CONTENDERS


def test_where_nothing_can_be_written_the_work_itself_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / FILE))

    monkeypatch.setattr(run_lock.os, "open", refuse)
    with pytest.raises(PermissionError), writing(tmp_path, "evaluated"):  # the folder could be written
        pass
    monkeypatch.setattr(run_lock.os, "access", lambda *_: False)
    with writing(tmp_path, "evaluated"):
        pass


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks."""

    def flock(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(run_lock, "SETTLING_S", 0.2)


def note(folder: Path, pid: int, host: str = socket.gethostname()) -> None:
    writer_fields = {"schema": 1, "host": host, "pid": pid, "since": "2024-05-06T12:00:00+00:00", "work": "trained"}
    (folder / FILE).write_text(json.dumps(writer_fields))


def test_without_locks_a_note_of_a_live_process_stands_for_one(
    tmp_path: Path, no_locks: None, capsys: pytest.CaptureFixture[str]
) -> None:
    note(tmp_path, os.getppid())
    assert refusal(tmp_path).endswith(f"if there is no such process any more, delete {tmp_path / FILE}")
    assert "this file system has no locks (No locks available)" in capsys.readouterr().err
    note(tmp_path, os.getppid(), host="node7")
    assert "on node7" in refusal(tmp_path)


def test_without_locks_the_note_of_a_dead_process_stands_for_nothing(tmp_path: Path, no_locks: None) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    note(tmp_path, ended.pid)
    with writing(tmp_path, "trained"):
        assert json.loads((tmp_path / FILE).read_text())["pid"] == os.getpid()
    assert contents(tmp_path) == {}


def test_without_locks_too_one_of_several_is_let_in(tmp_path: Path, no_locks: None) -> None:
    gates, won = FORK.Barrier(CONTENDERS), FORK.Value("i", 0)
    processes = [FORK.Process(target=contend, args=(tmp_path / "run", gates, 1, won)) for _ in range(CONTENDERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0] * CONTENDERS
    assert won.value == 1
