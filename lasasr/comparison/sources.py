"""Resolves the paths of the command line (run folders, sweep folders, result files) to the results of each run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lasasr.artifacts import results, run_paths, sweep_file
from lasasr.artifacts.result_names import ResultName, parse_result_name
from lasasr.artifacts.runs import Run
from lasasr.comparison.settings import Settings, settings
from lasasr.configuration.settings import kind_of
from lasasr.errors import LasasrError, UsageError

_MOST: Final = 6  # runs that a message names


@dataclass(frozen=True)
class MissingRun:
    """A run that the command line names and that has no result."""

    name: str
    status: str  # "not begun", "unfinished", "diverged"
    why: str = ""
    seed: str = ""
    settings: Settings | None = None  # None: it has no configuration yet


@dataclass(frozen=True)
class ResultSource:
    """The folder that may hold results, and the run that it belongs to."""

    results: Path
    run: Run | None
    name: ResultName | None = None  # only this one was named


def named_sources(paths: Sequence[Path]) -> list[ResultSource | MissingRun]:
    """The runs that the paths name, in order.

    Raises:
        LasasrError: a path is none of the three kinds, a sweep lists no runs, or a run is a language model.
    """
    return _without_repeats(
        [(source, (path / sweep_file.FILE).exists()) for path in paths for source in _sources(path)]
    )


def result_path(source: ResultSource) -> Path:
    """The result file that was named, or the folder of results."""
    return source.results / f"{source.name}.json" if source.name else source.results


def _without_repeats(named: Sequence[tuple[ResultSource | MissingRun, bool]]) -> list[ResultSource | MissingRun]:
    """Each run of a sweep (True) once, for sweeps overlap when seeds are added; a run named twice itself stays."""
    swept = {_identity(source) for source, by_sweep in named if by_sweep}
    kept: list[ResultSource | MissingRun] = []
    seen: set[str] = set()
    for source, _ in named:
        if _identity(source) not in seen & swept:
            kept.append(source)
        seen.add(_identity(source))
    return kept


def _identity(source: ResultSource | MissingRun) -> str:
    if isinstance(source, MissingRun):
        return source.name
    return str(source.run.folder.resolve() if source.run else source.results.resolve())


def _sources(path: Path) -> list[ResultSource | MissingRun]:
    """The runs of a sweep in its order, a run, or a result file."""
    sweep_path = path / sweep_file.FILE
    if sweep_path.exists():
        sweep = sweep_file.read(sweep_path)
        folders = [(path / folder).resolve() for folder in sweep["runs"]]
        if not folders:
            raise LasasrError(f"{sweep_path} lists no runs: a searching sweeper chose them; name the run folders")
        return [_from_run(Run(folder)) for folder in folders]
    if path.suffix in (".json", ".jsonl") and path.with_suffix(".json").is_file():
        return [_from_file(path.with_suffix(".json"))]
    return [_from_run(run_paths.find_run(path))]


def _from_file(path: Path) -> ResultSource | MissingRun:
    folder = path.resolve().parent.parent
    name = parse_result_name(path.stem)
    if name is None:
        raise LasasrError(f"{path} has no name of results: <split>.json or <split>@<text>-<digits>.json")
    return ResultSource(path.parent, Run(folder) if run_paths.is_run(folder) else None, name)


def _from_run(run: Run) -> ResultSource | MissingRun:
    name = run.folder.name
    if run.status == "absent" or not (run.folder / "config.yaml").exists():
        return MissingRun(name, "not begun")
    card = run.card()
    if refusal := kind_of(run.config()).task.refusals.get("compare"):
        raise LasasrError(f"{run.folder} {refusal}")
    if card.status == "finished":
        return ResultSource(run.results, run)
    why = card.diverged or ""  # null: it did not
    seed = "?" if card.seed is None else str(card.seed)
    return MissingRun(name, "diverged" if why else "unfinished", why, seed, settings(run.config()))


def common_split(sources: Sequence[ResultSource], any_result: bool) -> str:
    """The default split: test if all have it, else the only one that all have.

    Args:
        any_result: results of other searches than the runs' own count too.
    """
    of_each = [_splits(source, any_result) for source in sources]
    shared = sorted(set.intersection(*of_each))
    if "test" in shared or len(shared) == 1:
        return "test" if "test" in shared else shared[0]
    if shared:
        raise UsageError(f"the runs have results of {', '.join(shared)}: choose by --split")
    without = [folder_name(source) for source, have in zip(sources, of_each, strict=True) if not have]
    others = [have for have in of_each if have]
    if without and others and set.intersection(*others):
        more = f" and {len(without) - _MOST} more" if len(without) > _MOST else ""
        raise UsageError(
            f"{len(without)} of the {len(sources)} runs have no result: {', '.join(without[:_MOST])}{more}; "
            "decode each with lasasr evaluate RUN, or leave them out"
        )
    listed = "; ".join(
        f"{folder_name(source)}: {', '.join(sorted(have)) or 'none'}"
        for source, have in zip(sources, of_each, strict=True)
    )
    raise UsageError(f"the runs have results of no split in common ({listed}); decode one with lasasr evaluate")


def _splits(source: ResultSource, any_result: bool) -> set[str]:
    if source.name is not None:
        return {source.name.split}
    if any_result:
        return {stored.name.split for stored in results.list_results(source.results)}
    return set(results.splits(source.results))


def folder_name(source: ResultSource) -> str:
    return source.run.folder.name if source.run else source.results.name
