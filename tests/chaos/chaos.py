"""Faults injected into real, tiny trainings and the other verbs, and survived (`make chaos`).

    python tests/chaos/chaos.py --count 300 --seed 1 --keep chaos-failed
    python tests/chaos/chaos.py --again chaos-failed/1-17.json

docs/robustness.md says what is injected and what must hold; the last line has the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

import chaos_ground  # noqa: E402
from chaos_cases import FAMILIES, OF_RANKS, VERBS, Case, draw  # noqa: E402
from chaos_ground import Ground  # noqa: E402
from chaos_imports import import_all  # noqa: E402
from chaos_play import Outcome, as_json, play  # noqa: E402
from chaos_points import Fault  # noqa: E402
from chaos_process import reap_orphans  # noqa: E402
from chaos_report import Figures  # noqa: E402

# of `make test`: one process, without random times
QUICK = (
    *("killed at points",) * 2,
    "signalled",
    "worker signalled",
    "disk full",
    "checkpoint damaged",
    "run moved",
    "export interrupted",
    "ranks killed at points",
)
PLAYERS: list[int] = []  # processes that play cases


def main() -> int:
    """Play the cases; 1 where one has failed."""
    options = _options()
    import_all()
    reap_orphans()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with it ignored
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if options.dir:
        options.dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="lasasr-chaos-", dir=options.dir))
    try:
        ground = chaos_ground.build(folder / "ground", _needed(options))
        figures = _play_all(options, ground, folder)
    finally:
        _clear(folder)
    sys.stdout.write(f"{figures.by_family()}\n{figures.line()}\n")
    return int(bool(figures.failed))


def _clear(folder: Path) -> None:
    """Leave nothing, interrupted too."""
    for player in PLAYERS:
        with contextlib.suppress(ProcessLookupError):
            os.kill(player, signal.SIGKILL)
    for place in folder.glob("case-*/runs"):
        if place.is_mount():
            chaos_ground.unmounted(place)
    shutil.rmtree(folder, ignore_errors=True)


def _needed(options: argparse.Namespace) -> tuple[str, ...]:
    """The references that the cases are compared with."""
    if options.again:
        return (json.loads(options.again.read_text())["what"],)
    return ("workers", "ranks", "export") if options.quick else (*chaos_ground.ALL, *VERBS)


def _absolute(text: str) -> Path:
    return Path(text).absolute()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=300, help="cases (default: 300)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time (default: 2)")
    parser.add_argument("--family", choices=FAMILIES, help="only cases of this kind")
    parser.add_argument("--processes", type=int, choices=(1, 2), help="only cases of so many (default: both)")
    parser.add_argument("--each", action="store_true", help="one case of every kind, whatever --count says")
    parser.add_argument("--quick", action="store_true", help="the few of make test, whatever --count says")
    parser.add_argument("--minutes", type=float, default=30.0, help="no case begins after that (default: 30)")
    parser.add_argument("--again", type=_absolute, metavar="FILE", help="repeat a case that was kept")
    parser.add_argument("--keep", type=_absolute, default=_absolute("chaos-failed"), help="folder for cases that fail")
    parser.add_argument(
        "--dir", type=_absolute, help="where to work (default: the system's folder for temporary files)"
    )
    return parser.parse_args()


def _play_all(options: argparse.Namespace, ground: Ground, folder: Path) -> Figures:
    """Several processes play the cases, each every n-th."""
    cases = _cases(options, ground)
    if options.again:
        options.jobs = 1
    begun, results = time.monotonic(), folder / "results"
    results.mkdir()
    for job in range(options.jobs):
        player = os.fork()
        if player == 0:
            _play_some(options, cases[job :: options.jobs], ground, results / f"{job}.jsonl", begun)
        PLAYERS.append(player)
    ends = [os.waitstatus_to_exitcode(os.waitpid(player, 0)[1]) for player in PLAYERS]
    PLAYERS.clear()
    if any(ends):
        raise RuntimeError(f"the processes that play cases ended with {ends}")
    lines = [json.loads(line) for path in sorted(results.iterdir()) for line in path.read_text().splitlines()]
    return Figures(lines, options.seed, time.monotonic() - begun, len(cases))


def _cases(options: argparse.Namespace, ground: Ground) -> list[tuple[str, Case]]:
    if options.again:
        plain = json.loads(options.again.read_text())
        attempts = tuple(tuple(Fault(**fault) for fault in faults) for faults in plain["attempts"])
        plain |= {"attempts": attempts, "kill_after_s": tuple(plain["kill_after_s"])}
        return [(options.again.stem, Case(**plain))]
    families = [(name,) for name in (QUICK if options.quick else FAMILIES)]
    if not (options.quick or options.each):
        families = [_drawn_from(options)] * options.count
    return [(f"{options.seed}-{n}", draw(ground, options.seed, n, names)) for n, names in enumerate(families)]


def _drawn_from(options: argparse.Namespace) -> tuple[str, ...]:
    """The kinds of which cases are drawn."""
    if options.family:
        return (options.family,)
    wanted = {1, 2} if options.processes is None else {options.processes}
    return tuple(name for name in FAMILIES if 1 + (name in OF_RANKS) in wanted)


def _play_some(
    options: argparse.Namespace, cases: list[tuple[str, Case]], ground: Ground, results: Path, begun: float
) -> None:
    """A player's process; never returns."""
    reap_orphans()
    try:
        with results.open("w") as file:
            for name, case in cases:
                if time.monotonic() - begun > 60 * options.minutes:
                    break
                work = ground.folder.parent / f"case-{name}"
                outcome = _played(case, ground, work)
                if outcome.wrong:
                    _keep(options.keep, name, case, outcome, work)
                for each in (work, work.with_name(f"{work.name}-whole")):
                    shutil.rmtree(each, ignore_errors=True)
                file.write(
                    json.dumps({"name": name, "family": case.family, "what": case.what, **asdict(outcome)}) + "\n"
                )
                file.flush()
        os._exit(0)
    except BaseException:
        sys.stderr.write(traceback.format_exc())
        sys.stderr.flush()
    finally:
        os._exit(1)


def _played(case: Case, ground: Ground, work: Path) -> Outcome:
    try:
        return play(case, ground, work)
    except Exception as error:  # what the case has left makes no sense to the oracle
        return Outcome(faults=1, wrong=[f"{type(error).__name__}: {error}"])


def _keep(keep: Path, name: str, case: Case, outcome: Outcome, work: Path) -> None:
    """The case, to be repeated, and what it said."""
    keep.mkdir(parents=True, exist_ok=True)
    (keep / f"{name}.json").write_text(as_json(case))
    said = (work / "output.txt").read_text(errors="replace") if (work / "output.txt").exists() else ""
    (keep / f"{name}.txt").write_text("\n".join([*outcome.wrong, "", said]))
    sys.stdout.write(f"failed: {case.family} ({case.what}), {keep / name}.json: {outcome.wrong[0]}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
