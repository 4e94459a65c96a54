"""The part of `lasasr compare` that reads NAME=HYP[,HYP...] and runs beside them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lasasr.cli.text_options import named_texts, reference, scoring, speakers
from lasasr.errors import UsageError

if TYPE_CHECKING:
    from lasasr.comparison.entries import RunSelection
    from lasasr.comparison.grouping import SystemRuns
    from lasasr.transcripts.base import Texts

Named = list[tuple[str, list[Path]]]


def named_paths(words: Sequence[str]) -> tuple[Named, list[Path]]:
    """The NAME=HYP[,HYP...] among words, and the paths of runs; a folder may have = in its name.

    Raises:
        UsageError: a name or a path is empty, or a name stands twice.
    """
    named: Named = []
    paths: list[Path] = []
    for word in words:
        name, equals, listed = word.partition("=")
        if not equals or "/" in name or Path(word).exists():
            paths.append(Path(word))
            continue
        files = listed.split(",")
        if not name or not all(files):
            raise UsageError(f"{word}: write NAME=HYP or NAME=HYP,HYP with a file for each seed")
        if name in (other for other, _ in named):
            raise UsageError(f"{name} is named twice; write {name}=HYP,HYP for several seeds of it")
        named.append((name, [Path(file) for file in files]))
    return named, paths


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
        scoring(options),
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

    return find(paths, options.split, options.search, evaluate_command)
