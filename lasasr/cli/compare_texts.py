"""The part of `lasasr compare` that reads NAME=HYP[,HYP...], NAME=RUN[,RUN...] and runs beside them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lasasr.artifacts import run_paths
from lasasr.cli.text_options import named_texts, reference, scoring, speakers
from lasasr.errors import LasasrError, UsageError
from lasasr.escaping import acting, described

if TYPE_CHECKING:
    from lasasr.comparison.entries import RunSelection
    from lasasr.comparison.grouping import SystemRuns
    from lasasr.transcripts.base import Texts

Named = list[tuple[str, list[Path]]]


def named_paths(words: Sequence[str]) -> tuple[Named, list[Path], dict[Path, str]]:
    """The NAME=HYP[,HYP...] among words, and the paths of runs; a folder may have = in its name.

    Returns:
        Files of texts by name, paths of runs, and for the folder of each run of NAME=RUN[,RUN...] that name.

    Raises:
        UsageError: a name or a path is empty, a name stands twice, a run is given twice, or files stand beside runs.
    """
    named: Named = []
    paths: list[Path] = []
    systems: dict[Path, str] = {}
    for word in words:
        name, equals, listed = word.partition("=")
        if not equals or "/" in name or Path(word).exists():
            paths.append(Path(word))
            continue
        files = listed.split(",")
        if sign := acting(name):
            raise UsageError(f"the name {name!r} has {described(sign)} in it, which would act on tables; leave it out")
        if not name.strip() or not all(files):
            raise UsageError(f"{word}: write NAME=HYP or NAME=HYP,HYP with a file for each seed")
        if name in (*(other for other, _ in named), *systems.values()):
            raise UsageError(f"{name} is named twice; write {name}=HYP,HYP for several seeds of it")
        folders = [run_folder(file) for file in files]
        if not any(folders):
            named.append((name, [Path(file) for file in files]))
            continue
        for file, folder in zip(files, folders, strict=True):
            if folder is None:
                raise UsageError(f"{name}: {file} is no run, as the others are; name texts and runs as two systems")
            if folder in systems:
                raise UsageError(f"{file} is given twice; give each run once")
            systems[folder] = name
            paths.append(Path(file))
    return named, paths, systems


def run_folder(path: str) -> Path | None:
    """The run folder at `path` or below the runs root; None: there is none (a file in a run's results/ is text)."""
    candidates = Path(path), run_paths.root() / path
    return next((folder.resolve() for folder in candidates if run_paths.is_run(folder)), None)


def compared_texts(
    named: Named, paths: Sequence[Path], options: Namespace
) -> tuple[RunSelection, list[SystemRuns], list[str], Mapping[str, Texts]]:
    """All runs, the systems, the notes and the reference's other columns.

    It is a comparison with files of texts, or of runs under another scoring.
    """
    from lasasr.comparison.texts import text_comparison

    runs = found_runs(paths, options) if paths else None
    rule, table = speakers(options)
    selection, systems, notes, references = text_comparison(
        reference(options),
        named_texts(named, options),
        runs,
        scoring(options, runs.runs[0].summary["metric"] if runs else None),
        rule,
        table,
        options.split,
        {"any_search": options.any_search, "any_corpus": options.any_corpus},
    )
    return selection, systems, notes, references.columns


def found_runs(paths: Sequence[Path], options: Namespace) -> RunSelection:
    """The runs that the paths name, with the results that the options choose."""
    from lasasr.cli.evaluate_command import evaluate_command
    from lasasr.comparison.entries import find

    selection = find(paths, options.split, options.search, evaluate_command)
    systems: dict[Path, str] = options.systems
    decoded = {run.folder.resolve(): run for run in selection.runs if run.folder}
    for folder, name in systems.items():
        if folder not in decoded:
            status = next((run.status for run in selection.missing if run.name == folder.name), "without a result")
            raise LasasrError(f"{name}: {folder} is {status}; train it to its end, or leave it out")
    runs = [replace(run, system=systems.get(run.folder.resolve())) if run.folder else run for run in selection.runs]
    return replace(selection, runs=runs)
