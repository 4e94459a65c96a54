"""`lasasr average`: the mean of a run's checkpoints becomes a run folder of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lasasr.cli.arguments import Parser
from lasasr.errors import LasasrError, UsageError

if TYPE_CHECKING:
    from lasasr.artifacts.runs import Run

EPILOG = """\
examples:
  lasasr average RUN --best 5              the five with the lowest dev error rate (train with checkpoint.best=5)
  lasasr average RUN --last 5              the five latest (train with checkpoint.best=-1, which keeps all)
  lasasr evaluate RUN/average-best5        decode with the mean; compare, transcribe and export take it too

The run itself and its results stay as they are."""
FACTS = ("parameters", "precision", "data", "train_s")  # of the run's card, that hold for the mean too


def run(arguments: list[str]) -> int:
    """Average, write RUN/average-best5 (or --out), and say how to go on."""
    parser = Parser("average", "Average the weights of a run's checkpoints.", EPILOG)
    parser.add_argument("run", metavar="RUN", type=Path, help="run folder")
    parser.add_argument("--best", type=int, metavar="N", help="the N with the lowest dev error rate")
    parser.add_argument("--last", type=int, metavar="N", help="the N latest")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write (default: RUN/average-bestN)")
    options = parser.read(arguments)
    if (options.best is None) == (options.last is None):
        raise UsageError("average takes either --best N or --last N (lasasr average --help)")
    count = options.best if options.last is None else options.last
    kind = "last" if options.best is None else "best"
    if count < 1:
        raise UsageError(f"--{kind} must be at least 1, got {count}")

    from lasasr.artifacts import run_paths
    from lasasr.artifacts.run_lock import writing

    source = run_paths.find_run(options.run)
    with writing(source.folder, "averaged"):
        _average_in(source, kind, count, options.out)
    return 0


def _average_in(source: Run, kind: str, count: int, out: Path | None) -> None:
    """Average the checkpoints of a run that no other process writes into."""
    from lasasr.artifacts import run_paths
    from lasasr.training.averaging import chosen
    from lasasr.training.data_check import refuse_other_data

    place = out or source.folder / f"average-{kind}{count}"
    if place.exists():
        raise LasasrError(f"{place} is there already; delete it, or name another folder by --out")
    run_paths.bundle_folder(source.folder)  # says so where training has not finished
    checkpoints = chosen(source.checkpoints, count, best=kind == "best")
    refuse_other_data(source, checkpoints)
    average(source, checkpoints, place)
    print(f"mean of: {', '.join(path.name for path in checkpoints)}")
    print(f"written: {place}")
    print(f"decode:  lasasr evaluate {place}")


def average(source: Run, checkpoints: Sequence[Path], place: Path) -> None:
    """Write the mean as a finished run folder, whole or not at all.

    Raises:
        LasasrError: see `lasasr.training.averaging.mean`.
    """
    from lasasr.artifacts import files
    from lasasr.artifacts.provenance import provenance
    from lasasr.artifacts.runs import Run
    from lasasr.models.recognizer import Recognizer
    from lasasr.training.averaging import mean, refuse_factors, refuse_other

    recognizer = Recognizer.load(source.bundle)
    refuse_factors(recognizer, source.folder)
    means = mean(checkpoints)
    refuse_other(recognizer.state_dict(), means, source.bundle, checkpoints[-1])
    recognizer.load_state_dict(means)
    with files.replacing_folder(place) as folder:
        averaged = Run(folder)
        recognizer.save(averaged.bundle)
        averaged.start(source.config(), source.overrides(), **provenance())
        averaged.finish(
            averaged={"run": source.folder.name, "checkpoints": [path.name for path in checkpoints]},
            **{name: fact for name, fact in source.card().plain.items() if name in FACTS},
        )
