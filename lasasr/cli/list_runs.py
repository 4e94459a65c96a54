"""`lasasr runs`: the runs that there are, the newest last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lasasr.cli.arguments import Parser
from lasasr.errors import LasasrError, UsageError, looked_up

if TYPE_CHECKING:
    from lasasr.artifacts.run_card import RunCard

EPILOG = """\
examples:
  lasasr runs                              below LASASR_RUNS, or runs/
  lasasr runs runs/synthetic/las_char      of one recipe, or of a sweep"""


class Line(NamedTuple):
    """One run, as it is printed."""

    when: str
    status: str
    result: str
    steps: str
    folder: str


def run(arguments: list[str]) -> int:
    """Print status, error rate, updates and time of every run below a folder."""
    parser = Parser("runs", "List runs: status, error rate, updates, when.", EPILOG)
    parser.add_argument(
        "folder", metavar="FOLDER", type=Path, nargs="?", help="where to look (default: LASASR_RUNS, or runs)"
    )
    options = parser.read(arguments)

    from lasasr.artifacts import run_paths

    root = options.folder or run_paths.root()
    if not root.is_dir():
        way_out = "lasasr train synthetic/las_char makes the first" if options.folder is None else "name a folder"
        raise UsageError(f"there is no folder {root}: {way_out}{looked_up(root)}")
    lines = sorted(_lines(root))
    if not lines:
        print(f"no runs below {root}")
        return 0
    header = Line("last written", "status", "error", "updates", "run")
    widths = [max(len(line[column]) for line in (header, *lines)) for column in range(len(header) - 1)]
    for line in (header, *lines):
        cells = [f"{cell:{width}}" for cell, width in zip(line[:-1], widths, strict=True)]
        print("  ".join([*cells, line.folder]).rstrip())
    return 0


def _lines(root: Path) -> Iterator[Line]:
    from lasasr.artifacts.runs import Run

    for path in root.rglob("card.json"):
        if not (path.parent / "config.yaml").is_file() or path.parent.name == "bundle":
            continue
        found = Run(path.parent)
        try:
            card = found.card()
        except LasasrError:
            yield Line("", "damaged", "", "", str(found.folder))
            continue
        status = "diverged" if card.diverged else _training(found.folder) or card.status
        yield Line(_when(card, path), status, _result(card), str(card.steps or ""), str(found.folder))


def _training(folder: Path) -> str | None:
    """ "training", where a process that lives writes into the folder."""
    from lasasr.artifacts import run_lock

    return "training" if run_lock.is_held(folder) else None


def _when(card: RunCard, path: Path) -> str:
    from datetime import datetime

    finished = card.get("finished_at")
    moment = datetime.fromisoformat(finished) if finished else datetime.fromtimestamp(path.stat().st_mtime)
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def _result(card: RunCard) -> str:
    """The error rate of the first split that was decoded, else the best on dev."""
    for split, result in card.results.items():
        if isinstance(result.get("percent"), int | float) and isinstance(result.get("metric"), str):
            return f"{split} {result['metric'].upper()} {result['percent']:.2f} %"
        if isinstance(result.get("perplexity"), int | float):
            return f"{split} perplexity {result['perplexity']:.2f}"
    best = card.best_dev()
    if best is None:
        return ""
    return f"dev perplexity {best[1]:.2f}" if best[0] == "perplexity" else f"dev {best[0].upper()} {best[1]:.2f} %"
