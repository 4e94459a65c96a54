"""What the command line names: run folders, sweep folders, result files → runs with the results of one split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lasasr.artifacts import results, runs
from lasasr.artifacts.result_names import ResultName, parsed
from lasasr.artifacts.results import Stored
from lasasr.artifacts.run_results import RunResults
from lasasr.artifacts.search_identity import search_words
from lasasr.comparison.searches import Command, by_search
from lasasr.comparison.settings import Settings, settings
from lasasr.configuration.settings import kind_of
from lasasr.errors import LasasrError, UsageError
from lasasr.metrics.error_rates import Pair, align, count


@dataclass(frozen=True, eq=False)
class Entry:
    """One run, decoded on the split."""

    name: str  # of its folder or file
    seed: str
    settings: Settings
    card: dict[str, Any]
    summary: dict[str, Any]  # results/<split>.json
    lines: list[dict[str, Any]]  # results/<split>.jsonl
    folder: Path | None = None  # None: only the result files are there
    alignments: dict[str, tuple[Pair, ...]] = field(default_factory=dict)  # utterance id → of its best hypothesis


@dataclass(frozen=True)
class Missing:
    """A run that was asked for and has no result."""

    name: str
    status: str  # "not begun", "unfinished", "diverged"
    why: str = ""
    seed: str = ""
    settings: Settings | None = None  # None: it has no configuration yet


@dataclass(frozen=True)
class Found:
    """All that was asked for."""

    split: str
    entries: list[Entry]
    missing: list[Missing]


@dataclass(frozen=True)
class _Source:
    """Where results may be: the folder that holds them, and the run it belongs to."""

    results: Path
    run: runs.Run | None
    name: ResultName | None = None  # only this one was named


def find(
    paths: Sequence[Path], split: str | None = None, search: str | None = None, command: Command | None = None
) -> Found:
    """Read every run that the paths name.

    Args:
        search: takes the results of this search (`comparison.searches`); None: the runs' own.
        command: says how a run is decoded with a search that it has no result of.

    Raises:
        LasasrError: a path is nothing of the kind, results are damaged or missing, or no run is finished.
        UsageError: the runs have no split in common, or several and none is asked for; `search` names no search.
    """
    named = _once([(one, (path / "sweep.json").exists()) for path in paths for one in _sources(path)])
    sources = [one for one in named if isinstance(one, _Source)]
    missing = [one for one in named if isinstance(one, Missing)]
    if not sources:
        listed = ", ".join(f"{one.name} is {one.status}" for one in missing[:5])
        raise LasasrError(f"there is nothing to compare yet: {listed}")
    chosen = split or _common(sources, any_result=search is not None)
    if search is None:
        stored = [_own(one, chosen) for one in sources]
    else:
        stored = by_search(_of_runs(sources, search), chosen, search, command or _plain_command)
    return Found(chosen, [_entry(*one) for one in zip(sources, stored, strict=True)], missing)


def _of_runs(sources: Sequence[_Source], search: str) -> list[RunResults]:
    found = []
    for one in sources:
        if one.run is None or one.name is not None:
            raise UsageError(f"--search {search} chooses among the results of a run, but {_path(one)} is one result")
        found.append(RunResults(one.run))
    return found


def _path(source: _Source) -> Path:
    return source.results / f"{source.name}.json" if source.name else source.results


def _plain_command(of_run: RunResults, summary: Mapping[str, Any]) -> str:
    return f"lasasr evaluate {of_run.run.folder} (search: {search_words(summary.get('search'))})"


def _own(source: _Source, split: str) -> Stored:
    """The result that was named, or the run's own.

    Raises:
        LasasrError: another search wrote it; says the way out.
    """
    if source.name is not None and source.name.split != split:
        raise UsageError(f"{_path(source)} holds {source.name.split}, but --split is {split}")
    stored = Stored(source.results, source.name or ResultName(split))
    if source.run is None or source.name is not None or not stored.path.exists():
        return stored
    of_run = RunResults(source.run)
    if of_run.foreign(stored):
        raise LasasrError(f"{of_run.missing(split)}; --search takes the results of other searches")
    return stored


def _once(named: Sequence[tuple[_Source | Missing, bool]]) -> list[_Source | Missing]:
    """Each run of a sweep (True) once, for sweeps overlap when seeds are added; what is named twice by itself stays."""
    swept = {_place(one) for one, by_sweep in named if by_sweep}
    kept: list[_Source | Missing] = []
    seen: set[str] = set()
    for one, _ in named:
        if _place(one) not in seen & swept:
            kept.append(one)
        seen.add(_place(one))
    return kept


def _place(one: _Source | Missing) -> str:
    if isinstance(one, Missing):
        return one.name
    return str(one.run.folder.resolve() if one.run else one.results.resolve())


def _sources(path: Path) -> list[_Source | Missing]:
    """The runs of a sweep in its order, a run, or a result file."""
    note = path / "sweep.json"
    if note.exists():
        about = runs.read_sweep(note)
        folders = [(path / one).resolve() for one in about["runs"]]
        if not folders:
            raise LasasrError(f"{note} lists no runs: a searching sweeper chose them; name the run folders")
        return [_of_run(runs.Run(folder)) for folder in folders]
    if path.suffix in (".json", ".jsonl") and path.with_suffix(".json").is_file():
        return [_of_file(path.with_suffix(".json"))]
    return [_of_run(runs.find_run(path))]


def _of_file(path: Path) -> _Source | Missing:
    folder = path.resolve().parent.parent
    inside = (folder / "card.json").exists() and (folder / "config.yaml").exists()
    name = parsed(path.stem)
    if name is None:
        raise LasasrError(f"{path} has no name of results: <split>.json or <split>@<text>-<digits>.json")
    return _Source(path.parent, runs.Run(folder) if inside else None, name)


def _of_run(run: runs.Run) -> _Source | Missing:
    name = run.folder.name
    if run.status == "absent" or not (run.folder / "config.yaml").exists():
        return Missing(name, "not begun")
    card = run.card()
    if refusal := kind_of(run.config()).task.refusals.get("compare"):
        raise LasasrError(f"{run.folder} {refusal}")
    if card.get("status") == "finished":
        return _Source(run.results, run)
    why = str(card.get("diverged", ""))
    seed = str(card.get("seed", "?"))
    return Missing(name, "diverged" if why else "unfinished", why, seed, settings(run.config()))


def _common(sources: Sequence[_Source], any_result: bool) -> str:
    """The split to compare on where none is asked for: the only one that all have, or test.

    Args:
        any_result: results of other searches than the runs' own count too.
    """
    of_each = [_splits(one, any_result) for one in sources]
    shared = sorted(set.intersection(*of_each))
    if "test" in shared or len(shared) == 1:
        return "test" if "test" in shared else shared[0]
    if shared:
        raise UsageError(f"the runs have results of {', '.join(shared)}: choose by --split")
    listed = "; ".join(
        f"{_named(one)}: {', '.join(sorted(have)) or 'none'}" for one, have in zip(sources, of_each, strict=True)
    )
    raise UsageError(f"the runs have results of no split in common ({listed}); decode one with lasasr evaluate")


def _splits(source: _Source, any_result: bool) -> set[str]:
    if source.name is not None:
        return {source.name.split}
    if any_result:
        return {stored.name.split for stored in results.listed(source.results)}
    return set(results.splits(source.results))


def _named(source: _Source) -> str:
    return source.run.folder.name if source.run else source.results.name


def _entry(source: _Source, stored: Stored) -> Entry:
    if not stored.path.exists():
        results.read(stored.folder, stored.name.split)  # says what is missing, and the nearest
    summary, lines = stored.read()
    card = source.run.card() if source.run else {}
    config = source.run.config() if source.run else _as_told(summary)
    if "seed" not in config:
        raise LasasrError(f"{source.results} belongs to no run and does not say its seed")
    averaged = len(card.get("averaged", {}).get("checkpoints", []))
    return Entry(
        name=_named(source),
        seed=str(config["seed"]),
        settings=settings(config, summary.get("search"), averaged),
        card=card,
        summary=summary,
        lines=lines,
        folder=source.run.folder if source.run else None,
        alignments=_aligned(stored.path.with_suffix(".jsonl"), summary, lines),
    )


def _as_told(summary: dict[str, Any]) -> dict[str, Any]:
    """What results alone say of their run's configuration."""
    told = {name: summary[name] for name in ("seed", "search", "parameters", "attend") if name in summary}
    return told | {"choices": {"attend": summary["attend"]} if summary.get("attend") else {}}


def _aligned(path: Path, summary: dict[str, Any], lines: list[dict[str, Any]]) -> dict[str, tuple[Pair, ...]]:
    """The alignments, after a look whether the counts are theirs: a cut or edited file must not become a verdict."""
    found: dict[str, tuple[Pair, ...]] = {}
    length = 0
    for line in lines:
        pairs = tuple(align(line["reference"], line["hypothesis"], summary["metric"]))
        counts = count(pairs)
        length += counts.reference_length
        if counts.errors != line["substitutions"] + line["deletions"] + line["insertions"]:
            raise LasasrError(f"{path} is damaged: the counts of {line['id']} are not those of its texts")
        found[line["id"]] = pairs
    if length != summary["reference_length"]:
        raise LasasrError(
            f"{path} is damaged: its references hold {length} units, the summary says {summary['reference_length']}; "
            f"decode the split again with lasasr evaluate"
        )
    return found
