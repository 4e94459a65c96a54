"""Runs with the results of one split, read from what the command line names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lasasr.artifacts import results
from lasasr.artifacts.result_names import ResultName
from lasasr.artifacts.results import StoredResult
from lasasr.artifacts.run_card import RunCard
from lasasr.artifacts.run_results import RunResults
from lasasr.artifacts.search_identity import search_words
from lasasr.comparison.searches import Command, by_search
from lasasr.comparison.settings import Settings, settings
from lasasr.comparison.sources import MissingRun, ResultSource, common_split, folder_name, named_sources, result_path
from lasasr.errors import LasasrError, UsageError
from lasasr.metrics.error_rates import AlignedPair, align, count, errors_between, refuse_endless


@dataclass(frozen=True, eq=False)
class DecodedRun:
    """One run, decoded on the split."""

    name: str  # of its folder or file
    seed: str
    settings: Settings
    card: RunCard
    summary: dict[str, Any]  # results/<split>.json
    lines: list[dict[str, Any]]  # results/<split>.jsonl
    folder: Path | None = None  # None: only the result files are there
    alignments: Mapping[str, tuple[AlignedPair, ...]] = field(default_factory=dict)
    """Utterance id → alignment of its best hypothesis."""
    system: str | None = None  # the name that the command line gave to its system; None: its settings say which it is


Entry = DecodedRun  # its name in 0.2.0, which columns of one's own import


@dataclass(frozen=True)
class RunSelection:
    """The runs that the command line names."""

    split: str
    runs: list[DecodedRun]
    missing: list[MissingRun]


def find(
    paths: Sequence[Path], split: str | None = None, search: str | None = None, command: Command | None = None
) -> RunSelection:
    """Read every run that the paths name.

    Args:
        search: name of the search whose results are read (`comparison.searches`); None: the runs' own.
        command: gives the command that decodes a run with a search that it has no result of.

    Raises:
        LasasrError: a path names no run, sweep or result, results are damaged or missing, or no run is finished.
        UsageError: the runs have no split in common, or several and `split` is None; `search` names no search.
    """
    named = named_sources(paths)
    sources = [source for source in named if isinstance(source, ResultSource)]
    missing = [source for source in named if isinstance(source, MissingRun)]
    if not sources:
        listed = ", ".join(f"{run.name} is {run.status}" for run in missing[:5])
        raise LasasrError(f"there is nothing to compare yet: {listed}")
    chosen = split or common_split(sources, any_result=search is not None)
    if search is None:
        stored = [_own_result(source, chosen) for source in sources]
    else:
        stored = by_search(_run_results(sources, search), chosen, search, command or _plain_command)
    return RunSelection(
        chosen, [_decoded_run(source, result) for source, result in zip(sources, stored, strict=True)], missing
    )


def _run_results(sources: Sequence[ResultSource], search: str) -> list[RunResults]:
    run_results = []
    for source in sources:
        if source.run is None or source.name is not None:
            raise UsageError(
                f"--search {search} chooses among the results of a run, but {result_path(source)} is one result"
            )
        run_results.append(RunResults(source.run))
    return run_results


def _plain_command(run_results: RunResults, summary: Mapping[str, Any]) -> str:
    return f"lasasr evaluate {run_results.run.folder} (search: {search_words(summary.get('search'))})"


def _own_result(source: ResultSource, split: str) -> StoredResult:
    """The result that was named, or the run's own.

    Raises:
        LasasrError: another search wrote it; names --search.
    """
    if source.name is not None and source.name.split != split:
        raise UsageError(f"{result_path(source)} holds {source.name.split}, but --split is {split}")
    stored = StoredResult(source.results, source.name or ResultName(split))
    if source.run is None or source.name is not None or not stored.path.exists():
        return stored
    run_results = RunResults(source.run)
    if run_results.foreign(stored):
        raise LasasrError(f"{run_results.missing(split)}; --search takes the results of other searches")
    return stored


def _decoded_run(source: ResultSource, stored: StoredResult) -> DecodedRun:
    if not stored.path.exists():
        results.read(stored.folder, stored.name.split)  # raises, with what is missing and the nearest name
    summary, lines = stored.read()
    card = source.run.card() if source.run else RunCard()
    config = source.run.config() if source.run else _config_of_summary(summary)
    if "seed" not in config:
        raise LasasrError(f"{source.results} belongs to no run and does not say its seed")
    averaged = len(card.averaged.checkpoints) if card.averaged else 0
    alignments = _aligned(stored.path.with_suffix(".jsonl"), summary, lines)
    _check_characters(stored.path, summary, lines)
    return DecodedRun(
        name=folder_name(source),
        seed=str(config["seed"]),
        settings=settings(config, summary.get("search"), averaged),
        card=card,
        summary=summary,
        lines=lines,
        folder=source.run.folder if source.run else None,
        alignments=alignments,
    )


def _config_of_summary(summary: dict[str, Any]) -> dict[str, Any]:
    """The part of a run's configuration that its summary holds."""
    config = {name: summary[name] for name in ("seed", "search", "parameters", "attend") if name in summary}
    return config | {"choices": {"attend": summary["attend"]} if summary.get("attend") else {}}


def _aligned(path: Path, summary: dict[str, Any], lines: list[dict[str, Any]]) -> dict[str, tuple[AlignedPair, ...]]:
    """The alignments, whose counts must be those of the file: a cut or edited file must not lead to a verdict."""
    alignments: dict[str, tuple[AlignedPair, ...]] = {}
    length = 0
    for line in lines:
        refuse_endless(f"{path}: {line['id']}", line["reference"], line["hypothesis"])
        pairs = tuple(align(line["reference"], line["hypothesis"], summary["metric"]))
        counts = count(pairs)
        length += counts.reference_length
        if counts.errors != line["substitutions"] + line["deletions"] + line["insertions"]:
            raise LasasrError(f"{path} is damaged: the counts of {line['id']} are not those of its texts")
        alignments[line["id"]] = pairs
    if length != summary["reference_length"]:
        raise LasasrError(
            f"{path} is damaged: its references hold {length} units, the summary says {summary['reference_length']}; "
            f"decode the split again with lasasr evaluate"
        )
    return alignments


def _check_characters(path: Path, summary: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    """Hold the character error rate, of which a summary has no counts, against the texts, as the alignments are."""
    if summary.get("cer_percent") is None:
        return
    errors = length = 0
    for line in lines:
        reference, hypothesis = (" ".join(line[side].split()) for side in ("reference", "hypothesis"))
        errors += 0 if reference == hypothesis else errors_between(reference, hypothesis)
        length += len(reference)
    percent = 100.0 * errors / length if length else math.nan
    if not math.isclose(summary["cer_percent"], percent, abs_tol=0.01):
        raise LasasrError(
            f"{path} is damaged: cer_percent is {summary['cer_percent']}, but its texts make {percent}; "
            f"decode the split again with lasasr evaluate"
        )
