"""What is written outlasts a kill and a power cut, and what a killed process has left is taken away."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from forked import end, exit_status, forked
from power_cut import LOST, Disk, power_cuts

from lasasr.artifacts import temporary
from lasasr.artifacts.files import replacing, replacing_folder, write_text

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
MISSING_FLUSHES = ("flush_file", "flush_folder")


def write_over(folder: Path) -> set[bytes | None]:
    """All that may stand in a file after a power cut, at any moment of its replacement and then after it."""
    path, seen = folder / "card.json", set[bytes | None]()
    path.write_text("old")
    with power_cuts(folder, lambda disk: seen.update(disk.possible(path))) as disk:
        write_text(path, "new")
        assert disk.possible(path) == {b"new"}
    return seen


@needs_proc
def test_a_power_cut_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    assert write_over(tmp_path) == {b"old", b"new"}


@needs_proc
@pytest.mark.parametrize("flush", MISSING_FLUSHES)
def test_a_missing_flush_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush: str) -> None:
    monkeypatch.setattr(temporary, flush, lambda path: None)
    with pytest.raises(AssertionError):
        write_over(tmp_path)


@needs_proc
def test_folders_that_are_made_for_a_file_outlast_a_power_cut(tmp_path: Path) -> None:
    with power_cuts(tmp_path) as disk:
        write_text(tmp_path / "run" / "results" / "test.json", "new")
        assert disk.possible(tmp_path / "run" / "results" / "test.json") == {b"new"}


@needs_proc
def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    final, contents = tmp_path / "tokenizer", list[set[bytes | None]]()
    files = (final / "a.json", final / "inner" / "b.json")

    def look(disk: Disk) -> None:
        contents.append({content for file in files for content in disk.possible(file)})

    with power_cuts(tmp_path, look) as disk, replacing_folder(final) as folder:
        (folder / "inner").mkdir()
        (folder / "a.json").write_text("a")
        (folder / "inner" / "b.json").write_text("b")
    assert contents[-1] == {b"a", b"b"}
    assert LOST not in set().union(*contents)
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer"]
    assert disk.names


def killed_while(write: Callable[[], Any]) -> None:
    """Write in a process that ends on the spot when `write` says so."""
    assert exit_status(write) == 9


def half_a_file(path: Path) -> None:
    with replacing(path) as written:
        written.write_text("half")
        os._exit(9)


def half_a_folder(path: Path) -> None:
    with replacing_folder(path) as written:
        (written / "half").write_text("half")
        os._exit(9)


def test_what_a_killed_process_has_left_is_taken_away_by_the_next_that_writes_it(tmp_path: Path) -> None:
    killed_while(lambda: half_a_file(tmp_path / "file"))
    killed_while(lambda: half_a_folder(tmp_path / "folder"))
    assert {path.name for path in tmp_path.iterdir()} == {".file.tmp", ".folder.tmp"}
    write_text(tmp_path / "file", "whole")
    with replacing_folder(tmp_path / "folder") as written:
        (written / "whole").write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["whole"]


def write_and_wait(folder: Path, told: int) -> None:
    """Be in the middle of a file and of a folder, say so, and wait for the end; of the test's own process, too."""
    test = os.getppid()
    with replacing(folder / "file"), replacing_folder(folder / "folder"):
        os.write(told, b".")
        os.close(told)
        while os.getppid() == test:
            time.sleep(0.1)


def test_what_two_killed_processes_have_left_of_one_file_is_taken_away_though_nobody_writes_it_again(
    tmp_path: Path,
) -> None:
    """The first holds the usual name, so that the second has another; a third process has written the file before."""
    path, writers = tmp_path / "file", []
    with ExitStack() as stack:
        for _ in range(2):
            ready, told = os.pipe()
            writers.append(stack.enter_context(forked(lambda told=told: write_and_wait(tmp_path, told))))
            os.close(told)
            assert os.read(ready, 1), "the writer has ended"
        write_text(path, "whole")
        living = {each.name for each in tmp_path.iterdir()} - {"file"}
        assert len(living) == 4
        temporary.remove_abandoned(tmp_path)
        assert {each.name for each in tmp_path.iterdir()} == living | {"file"}  # their makers live
        for process in writers:
            end(process)
        temporary.remove_abandoned(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "whole"


def test_abandoned_files_go_from_the_folders_below_where_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    left = [tmp_path / ".card.json.tmp", tmp_path / "results" / ".test.json.tmp"]
    kept = [tmp_path / "notes.tmp", tmp_path / ".hidden"]
    for each in (*left, *kept):
        each.write_text("")
    temporary.remove_abandoned(tmp_path)
    assert [each.exists() for each in left] == [False, True]
    temporary.remove_abandoned(tmp_path, below=True)
    assert [each.exists() for each in left] == [False, False]
    assert all(each.exists() for each in kept)
    temporary.remove_abandoned(tmp_path / "missing")


def test_what_a_living_process_writes_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path) as first:
        first.write_text("first")
        write_text(path, "second")
        assert path.read_text() == "second"
        assert first.read_text() == "first"
    assert path.read_text() == "first"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_second_name_of_a_whole_file_is_removed_and_never_written_into(tmp_path: Path) -> None:
    whole = tmp_path / "last.ckpt"
    whole.write_text("whole")
    os.link(whole, tmp_path / ".before.ckpt.tmp")  # killed between the link and its new name
    write_text(tmp_path / "before.ckpt", "other")
    assert whole.read_text() == "whole"
    assert {path.name for path in tmp_path.iterdir()} == {"last.ckpt", "before.ckpt"}


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / ".file.tmp").symlink_to(tmp_path / "elsewhere")
    write_text(tmp_path / "file", "new")
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert (tmp_path / "file").read_text() == "new"
    assert (tmp_path / ".file.tmp").is_symlink()


def test_without_locks_nothing_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    (tmp_path / ".file.tmp").write_text("of a process on another machine")
    write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"
    assert (tmp_path / ".file.tmp").read_text() == "of a process on another machine"


@pytest.mark.parametrize(("number", "passes"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_a_file_system_that_cannot_flush_folders_is_used_and_a_broken_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, passes: bool
) -> None:
    flush = os.fsync

    def only_files(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(number, os.strerror(number))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    if passes:
        write_text(tmp_path / "file", "new")
    else:
        with pytest.raises(OSError, match="Input/output"):
            write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"
