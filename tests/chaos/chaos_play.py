"""One case played: its attempts with their faults, then one without, and what is wrong in the end."""

from __future__ import annotations

import json
import re
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

import chaos_ground as ground_of
from chaos_cases import Case
from chaos_ground import Ground, ranks_of, words_of
from chaos_oracle import diary, differences, leftovers, other_files, recovery_s, run_folder, utterances
from chaos_process import Command, Ended, run

from lasasr.artifacts.runs import Run

MOST_ATTEMPTS = 3  # without a fault, until a run is finished
DONE_BEFORE = re.compile("is there already|is not empty")  # killed when all was done: the files are compared
# what can be done without: curves, and the flush of a prepared folder where it holds what is only faster
DONE_WITHOUT = ("events", "kept:table")
# Python's own words where torch's handler of SIGCHLD raises while a callback runs, as while a process forks:
# the exception is lost there, and what the command says of the worker follows
IGNORED = re.compile(
    r"^Exception ignored in: .*\n(?:Traceback .*\n(?:\s.*\n)*RuntimeError: DataLoader worker .*\n)", re.M
)
EDITED = "its data have changed"


@dataclass
class Outcome:
    """What came of a case."""

    faults: int = 0
    wrong: list[str] = field(default_factory=list)
    lost: int = 0
    twice: int = 0
    compared: bool = False  # with the run that nothing disturbed
    identical: bool = False
    hangs: int = 0
    recovery_s: float = 0.0
    skipped: str = ""


class Play:
    """A case in its folder."""

    def __init__(self, case: Case, ground: Ground, work: Path) -> None:
        self.case, self.ground, self.work = case, ground, work
        self.outcome = Outcome()
        self.trains = case.what in ground_of.OVERRIDES
        self.finished_before = False  # by an attempt with a fault

    def play(self) -> Outcome:
        """All of it."""
        self._begin()
        if self.outcome.skipped:
            return self.outcome
        try:
            for place, faults in enumerate(self.case.attempts):
                self._attempt(place, faults)
            if self.case.before_last:
                self._change_files()
            if self.case.small_disk:
                ground_of.enlarged(self.work / "runs")
            self._finish()
            self._judge()
        finally:
            if self.case.small_disk:
                ground_of.unmounted(self.work / "runs")
        return self.outcome

    def _begin(self) -> None:
        if self.trains or self.case.what == "prepare":
            self.ground.copy(self.work)
        else:
            shutil.copytree(self.ground.folder / "finished", self.work)
        if self.case.what == "prepare":
            shutil.rmtree(self.work / "prepared")
        if self.case.small_disk:
            (self.work / "runs").mkdir()
            if not ground_of.mounted(self.work / "runs", self.case.small_disk):
                self.outcome.skipped = "this user may not mount a small file system"

    # attempts

    def words(self) -> tuple[str, ...]:
        """What is typed now, as a person would."""
        if not self.trains:
            return words_of(self.case.what)
        try:
            folder = run_folder(self.work)
        except ValueError:
            return words_of(self.case.what)
        return ("train", "--resume", str(folder.relative_to(self.work)))

    def _run(self, command: Command) -> Ended:
        ended = run(command, self.work, meanwhile=self._meanwhile)
        if ended.hung:
            self._wrong("it hung")
        if ended.left:
            self._wrong("processes lived on")
        self.outcome.hangs += ended.hung or ended.left
        return ended

    def _attempt(self, place: int, faults: tuple[object, ...]) -> None:
        before = self._met()
        kill_after_s = self.case.kill_after_s[place] if self.case.kill_after_s else None
        ended = self._run(Command(self.words(), faults, kill_after_s, ranks_of(self.case.what)))  # type: ignore[arg-type]
        met = self._met()[len(before) :] + ["kill"] * (kill_after_s is not None and ended.status == -signal.SIGKILL)
        full = bool(self.case.small_disk) and ended.status == 1
        self.outcome.faults += len(met) + full
        self._check_end(ended, met, full)

    def _met(self) -> list[str]:
        """The faults that were met so far."""
        lines = [line for rank in range(ranks_of(self.case.what)) for line in diary(self.work, rank)]
        return [line["fault"] for line in lines if "fault" in line]

    def _check_end(self, ended: Ended, met: list[str], full: bool) -> None:
        """Whether it ended with the right status, in one line."""
        allowed = self._allowed(met, full)
        if "signal-worker" in met and IGNORED.search(ended.said):
            allowed.add(0)  # all batches had come already
        if ended.status not in allowed:
            self._wrong(f"exit status {ended.status}, not {' or '.join(map(str, sorted(allowed)))}")
        lines = [line for line in ended.said.splitlines() if line.startswith("lasasr: ")]
        if ended.status > 0 and not ended.ranks and len(lines) != 1:
            self._wrong(f"{len(lines)} lines say what is wrong")
        if "Traceback" in IGNORED.sub("", ended.said):
            self._wrong("a traceback")
        if "internal error" in ended.said and "break" not in met:
            self._wrong("an internal error")
        if (
            self.case.family == "loader worker signalled"
            and ended.status == 1
            and "worker of the data" not in ended.said
        ):
            self._wrong("the worker is not named")

    def _allowed(self, met: list[str], full: bool) -> set[int]:
        faults = [fault for faults in self.case.attempts for fault in faults if fault.act in met]
        if not met:
            return {1} if full else {0}
        if ranks_of(self.case.what) > 1:
            killed_launcher = any(fault.act == "signal-launcher" and fault.value == 9 for fault in faults)
            return {-9} if killed_launcher else {0} if set(met) == {"nan"} else {1, -9} if "kill" in met else {1}
        allowed: set[int] = set()
        for fault in faults or [None]:
            match fault and fault.act:
                case None | "kill":
                    allowed.add(-9)
                case "signal":
                    allowed.add(128 + fault.value)
                case "signal-worker":
                    allowed.add(1 if fault.value == 9 else 0)
                case "fail" | "break" | "fill-disk":
                    allowed |= {1, 0} if fault.point.startswith(DONE_WITHOUT) else {1}
                case "limit-files":
                    allowed |= {0, 1}
                case "stop" | "nan" | "set-clock-back":
                    allowed |= set() if "kill" in met else {0}
        return allowed

    def _meanwhile(self) -> None:
        """A second writer, while the first one stands still."""
        words = words_of(self.case.what)
        if self.case.meanwhile == "resume":
            words = ("train", "--resume", str(run_folder(self.work).relative_to(self.work)))
        if self.case.meanwhile == "fresh":  # beside it; nothing is refused, so it is not let in
            words = ("evaluate", str(run_folder(self.work).relative_to(self.work)))
        second = run(Command(words), self.work)
        if second.status != 1 or "is being trained by process" not in second.said:
            self._wrong(f"a second writer was not refused (exit status {second.status})")

    # files

    def _change_files(self) -> None:
        kind = self.case.before_last
        try:
            folder = run_folder(self.work)
        except ValueError:  # it was killed before there was one
            return
        self.outcome.faults += 1
        if kind == "moved":
            folder.rename(folder.with_name("moved"))
        elif kind == "edited":
            self._edit(folder)
        else:
            self._damage(kind, folder / "checkpoints" / "last.ckpt", folder / "checkpoints" / "before.ckpt")

    def _edit(self, folder: Path) -> None:
        table = self.work / "train.tsv"
        before = table.read_text()
        table.write_text(before.replace("\ta b\n", "\tb b\n", 1))
        ended = self._run(Command(self.words()))
        if ended.status != 1 or EDITED not in ended.said:
            self._wrong(f"edited data were not refused (exit status {ended.status})")
        table.write_text(before)

    def _damage(self, kind: str, last: Path, before: Path) -> None:
        content = last.read_bytes()
        if kind == "flipped":
            changed = bytearray(content)
            changed[len(content) // 2] ^= 1
            last.write_bytes(changed)
        elif kind == "truncated":
            last.write_bytes(content[: len(content) // 3])
        elif kind == "emptied":
            last.write_bytes(b"")
        elif kind == "gone":
            last.unlink()
        elif kind == "foreign":
            last.unlink()
            shutil.copyfile(self.ground.references["alone"].run / "checkpoints" / "last.ckpt", last)
        elif kind == "swapped":
            last.write_bytes(before.read_bytes())
            before.unlink()
            before.write_bytes(content)

    # the end

    def _finish(self) -> None:
        """Run it without a fault, until it is done."""
        for _ in range(MOST_ATTEMPTS):
            ended = self._run(Command(self.words(), ranks=ranks_of(self.case.what)))
            if ended.status and not (not self.trains and DONE_BEFORE.search(ended.said)):
                self._wrong(f"without a fault it ended with status {ended.status}: {ended.said[-300:]}")
                return
            self.finished_before = "is finished" in ended.said
            if not self.trains or Run(run_folder(self.work)).status == "finished":
                return

    def _judge(self) -> None:
        if any(why.startswith("without a fault") for why in self.outcome.wrong):
            return
        self.outcome.compared = True
        if self.trains:
            expected = self.ground.references["ranks" if self.case.what == "ranks" else "alone"].run
            if "nan" in self._met():
                expected = self._same_nan()
            wrong = differences(expected, run_folder(self.work))
            self.outcome.lost, self.outcome.twice = utterances(self.work, ranks_of(self.case.what))
            self.outcome.recovery_s = recovery_s(self.work)
        else:
            wrong = other_files(self.ground.references[self.case.what].folder, self.work)
        self.outcome.identical = not wrong
        for why in [*wrong, *leftovers(self.work, self.finished_before)]:
            self._wrong(why)
        if self.outcome.lost or self.outcome.twice:
            self._wrong(f"{self.outcome.lost} utterances lost, {self.outcome.twice} seen twice")

    def _same_nan(self) -> Path:
        """A run that met the same NaN, and was not killed."""
        work = self.work.with_name(f"{self.work.name}-whole")
        self.ground.copy(work)
        faults = tuple(fault for fault in self.case.attempts[0] if fault.act == "nan")
        ended = run(Command(words_of(self.case.what), faults, ranks=ranks_of(self.case.what)), work)
        if ended.status or "this update is left out" not in ended.said:
            self._wrong(f"NaN ended it with status {ended.status}")
        return run_folder(work)

    def _wrong(self, why: str) -> None:
        if why not in self.outcome.wrong:
            self.outcome.wrong.append(why)


def play(case: Case, ground: Ground, work: Path) -> Outcome:
    """Play a case in the folder `work`, which it makes."""
    return Play(case, ground, work).play()


def as_json(case: Case) -> str:
    """A case as a file."""
    plain = {**vars(case), "attempts": [[vars(fault) for fault in faults] for faults in case.attempts]}
    return json.dumps(plain, indent=1)
