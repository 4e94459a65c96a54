"""A command in a process that is forked after all imports, alone or as two ranks, and what became of it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from chaos_imports import note_imported
from chaos_points import Fault, Points, lay

from lasasr.cli.main import main

PATIENCE_S = 60.0  # for a command, and then for all processes that it started
GRACE_S = 20.0  # that the launcher leaves a rank to end by itself
PR_SET_CHILD_SUBREAPER = 36


@dataclass
class Ended:
    """What became of a command."""

    status: int  # negative: the signal that killed it
    said: str
    took_s: float
    hung: bool = False
    left: bool = False  # whether processes lived on
    ranks: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Command:
    """A command to run.

    Args:
        words: what is typed behind `lasasr`.
        faults: that are met on the way.
        kill_after_s: when it is killed; None: it is not.
        ranks: processes of it.
    """

    words: tuple[str, ...]
    faults: tuple[Fault, ...] = ()
    kill_after_s: float | None = None
    ranks: int = 1


def reap_orphans() -> None:
    """Have what the processes of this one leave behind become its children."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(
    command: Command,
    folder: Path,
    record: bool = False,
    meanwhile: Callable[[], None] = lambda: None,
    patience_s: float = PATIENCE_S,
) -> Ended:
    """Run it in `folder`, where its diary is.

    Args:
        record: whether it notes the points that it reaches, and the modules that it imports.
        patience_s: it is killed then, and has hung; of a machine that has more to do than processors, longer.
        meanwhile: called while it stands still, where a fault stops it.
    """
    output = folder / "output.txt"
    output.touch()
    before = output.stat().st_size
    begun = time.monotonic()
    written, writer = _writer_of(output)
    process = os.fork()
    if process == 0:
        _become(command, folder, written, record)
    os.close(written)
    status, hung = _await(process, begun, command.kill_after_s, meanwhile, patience_s)
    took_s = time.monotonic() - begun
    left = _outlived(process)
    os.waitpid(writer, 0)
    said = output.read_bytes()[before:].decode(errors="replace")
    ranks = folder / "ranks.json"
    statuses = json.loads(ranks.read_text()) if command.ranks > 1 and ranks.exists() else []
    ranks.unlink(missing_ok=True)
    return Ended(status, said, took_s, hung, left, statuses)


def _begin_session() -> None:
    """Be a session of its own, of the priority that the old one has where sessions have one (Linux's autogroups)."""
    autogroup = Path("/proc/self/autogroup")
    priority: list[str] = []
    with suppress(OSError):
        priority = autogroup.read_text().split()[-1:]  # the file may be there, and empty
    os.setsid()
    if priority:
        with suppress(OSError):  # the user may not
            autogroup.write_text(priority[0])


def _writer_of(output: Path) -> tuple[int, int]:
    """A pipe into a file, and the process that writes it: a limit of the command's files is none of what it says."""
    read, written = os.pipe()
    writer = os.fork()
    if writer:
        os.close(read)
        return written, writer
    try:
        os.close(written)
        with output.open("ab", buffering=0) as file:
            while block := os.read(read, 1 << 16):
                file.write(block)
    finally:
        os._exit(0)  # whatever it is: this process must not go on as the one that it was forked from


def _await(
    process: int, begun: float, kill_after_s: float | None, meanwhile: Callable[[], None], patience_s: float
) -> tuple[int, bool]:
    hung = False
    while True:
        ended, status = os.waitpid(process, os.WNOHANG | os.WUNTRACED)
        waited = time.monotonic() - begun
        if ended and os.WIFSTOPPED(status):
            meanwhile()
            begun = time.monotonic()
            os.killpg(process, signal.SIGCONT)
        elif ended:
            return os.waitstatus_to_exitcode(status), hung
        elif kill_after_s is not None and waited > kill_after_s:
            os.kill(process, signal.SIGKILL)
        elif waited > patience_s * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)):
            hung = True
            with suppress(ProcessLookupError):  # it has ended at this moment, or stands before its session
                os.killpg(process, signal.SIGKILL)
        time.sleep(0.002)


def _outlived(group: int) -> bool:
    """Whether processes of a group live on for longer than they may; they are killed then."""
    end, killed = time.monotonic() + PATIENCE_S / 2, False
    while True:
        with suppress(ChildProcessError):
            while os.waitpid(-group, os.WNOHANG)[0]:
                pass
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return killed
        if time.monotonic() > end and not killed:
            os.killpg(group, signal.SIGKILL)
            killed = True
        time.sleep(0.005)


def _become(command: Command, folder: Path, written: int, record: bool) -> None:
    """Be the command; never returns: what fails here must not unwind into the tool, which would clear its folder."""
    try:
        _begin_session()
        os.chdir(folder)
        os.dup2(written, 1)
        os.dup2(written, 2)
        # those of the tool may be files, and know where they end
        sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
        if command.ranks == 1:
            _work(command.words, command.faults, folder, 0, record)
        _launch(command, folder, record)
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(99)  # nothing else got out


def _work(words: Sequence[str], faults: Sequence[Fault], folder: Path, rank: int, record: bool) -> None:
    lay(Points([fault for fault in faults if fault.rank == rank], folder / f"diary-{rank}.jsonl", record))
    status = main(list(words))
    if record and rank == 0:
        note_imported(folder)
    os._exit(status)


def _launch(command: Command, folder: Path, record: bool) -> None:
    """Start ranks and end as torchrun does: when one fails the others get SIGTERM, and it exits with 1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(command.ranks),
        "LOCAL_WORLD_SIZE": str(command.ranks),
        "GROUP_RANK": "0",
        "GROUP_WORLD_SIZE": "1",
        "TORCHELASTIC_RUN_ID": "chaos",
    }
    processes: dict[int, int] = {}
    for rank in range(command.ranks):
        process = os.fork()
        if process == 0:
            os.environ.update(shared, RANK=str(rank), LOCAL_RANK=str(rank))
            try:
                _work(command.words, command.faults, folder, rank, record)
            finally:
                os._exit(99)
        processes[process] = rank

    def send_on(number: int, frame: object) -> None:
        for each in processes:
            with suppress(ProcessLookupError):
                os.kill(each, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, send_on)
    (folder / "processes.json").write_text(json.dumps(list(processes)))
    statuses = _await_ranks(processes, send_on)
    (folder / "ranks.json").write_text(json.dumps([statuses[rank] for rank in range(command.ranks)]))
    os._exit(int(any(statuses.values())))


def _await_ranks(processes: dict[int, int], send_on: Callable[[int, object], None]) -> dict[int, int]:
    statuses: dict[int, int] = {}
    failed_s = 0.0
    while len(statuses) < len(processes):
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended in processes:
            statuses[processes[ended]] = os.waitstatus_to_exitcode(status)
        if any(statuses.values()) and not failed_s:
            failed_s = time.monotonic()
            send_on(signal.SIGTERM, None)
        if failed_s and time.monotonic() > failed_s + GRACE_S:
            send_on(signal.SIGKILL, None)
        time.sleep(0.005)
    return statuses
