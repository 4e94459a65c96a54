"""What `lasasr compare` writes and prints."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lasasr.errors import LasasrError, UsageError, looked_up
from lasasr.escaping import unescaped

if TYPE_CHECKING:
    from lasasr.comparison.entries import RunSelection
    from lasasr.comparison.grouping import SystemRuns


class Looked(NamedTuple):
    """What page and figures show beside the comparison."""

    details: dict[str, Any] | None  # None: they are made from a card
    maps: dict[str, Any]
    notes: list[str]


def check_outputs(options: Namespace, finished: bool) -> None:
    """Refuse places where nothing can be written, before anything is.

    Args:
        finished: the comparison is read from a card, so that no comparison.json is written.

    Raises:
        UsageError: a folder stands for a file, two files are one, an input would be overwritten, or a page lacks marks.
        LasasrError: there is no such page.
    """
    for name in ("out", "html", "card", "latex", "csv"):
        if (path := getattr(options, name)) is not None and path.is_dir():
            raise UsageError(f"--{name} takes a file, but {path} is a folder")
    if options.figures is not None and options.figures.exists() and not options.figures.is_dir():
        raise UsageError(f"--figures takes a folder, but {options.figures} is a file")
    _refuse_same_files(options, finished)
    if options.readme is not None:
        if not options.readme.is_file():
            where = looked_up(options.readme)
            raise LasasrError(f"{options.readme} is missing: --readme needs a page with two marks{where}")
        from lasasr.report.comparison_markdown import between_marks

        try:
            between_marks(options.readme.read_text(encoding="utf-8"), _card_in_readme(options), "")
        except UnicodeDecodeError:
            raise LasasrError(f"{options.readme} is no text in UTF-8; save it so") from None


def _refuse_same_files(options: Namespace, finished: bool) -> None:
    """Refuse a file that two options write, or that is read."""
    read = [(path, "is compared") for path in (*options.paths, *(path for _, paths in options.named for path in paths))]
    read += [(getattr(options, name), f"is read as --{name}") for name in ("reference", "table", "utt2spk")]
    written = [(f"--{name}", getattr(options, name)) for name in ("card", "readme", "html", "latex", "csv")]
    if not finished:
        written.insert(0, ("comparison.json" if options.out is None else "--out", options.out or _beside(options)))
    if options.latex is not None:
        written.append(("the sources of --latex", options.latex.with_suffix(".bib")))
    seen = {os.path.realpath(path): use for path, use in read if path is not None}
    for name, path in written:
        if path is None:
            continue
        place = os.path.realpath(path)  # which a circle of links does not stop, as Path.resolve
        if place in seen:
            raise UsageError(f"{path} {seen[place]}, and {name} would overwrite it; choose another file")
        seen[place] = f"is written as {name}"


def write(
    comparison: dict[str, Any], compared: tuple[RunSelection, list[SystemRuns]] | None, options: Namespace
) -> None:
    """The files, each named on the way.

    Args:
        comparison: comparison.json, or a card.
        compared: the runs; None: they are not known any more.
    """
    from lasasr.artifacts import files
    from lasasr.comparison.card import card

    lines = []
    if compared is not None:
        out = options.out or _beside(options)
        files.write_json(out, comparison)
        lines.append(f"comparison: {out}")
    if options.card is not None:
        files.write_json(options.card, card(comparison))
        lines.append(f"card:       {options.card}")
    if options.readme is not None:
        _into_readme(card(comparison), options)
        lines.append(f"table in:   {options.readme}")
    lines += _for_paper(comparison, options)
    if options.html is not None or options.figures is not None:
        lines += _drawn(comparison, _looked(comparison, compared, options), options)
    if lines and not options.markdown:
        print("\n".join(lines))


def _for_paper(comparison: dict[str, Any], options: Namespace) -> list[str]:
    from lasasr.artifacts import files

    lines = []
    if options.csv is not None:
        from lasasr.report.csv_table import csv_table

        files.write_text(options.csv, csv_table(comparison))
        lines.append(f"CSV:        {options.csv}")
    if options.latex is not None:
        from lasasr.report.latex import latex
        from lasasr.report.methods import bibtex

        sources = options.latex.with_suffix(".bib")
        files.write_text(options.latex, latex(comparison, sources.stem))
        files.write_text(sources, bibtex())
        lines.append(f"LaTeX:      {options.latex}, sources: {sources}")
    return lines


def _looked(
    comparison: dict[str, Any], compared: tuple[RunSelection, list[SystemRuns]] | None, options: Namespace
) -> Looked:
    if compared is None:
        return Looked(None, {}, [])
    from lasasr.comparison.details import details

    selection, systems = compared
    looked = details(systems, comparison["baseline"])
    ids = [utterance["id"] for utterance in looked["utterances"][: options.maps]]
    if not ids or not any(run.folder for system in systems for run in system.runs):
        return Looked(looked, {}, [])
    from lasasr.cli.progress import progress
    from lasasr.evaluation.comparison_maps import draw

    with progress() as report:
        drawn = draw(systems, selection.split, ids, options.audio, report)
    return Looked(looked, drawn.maps, drawn.notes)


def _drawn(comparison: dict[str, Any], looked: Looked, options: Namespace) -> list[str]:
    from lasasr.artifacts import files

    lines = []
    if options.html is not None:
        from lasasr.report.page import page

        files.write_text(options.html, page(comparison, looked.details, looked.maps, looked.notes))
        lines.append(f"page:       {options.html}")
        lines += [f"            {note}" for note in looked.notes]
    if options.figures is not None:
        from lasasr.report.paper_figures import draw

        paths = draw(comparison, looked.details, looked.maps, options.figures)
        names = dict.fromkeys(path.stem for path in paths)
        lines.append(f"figures:    {options.figures}: {', '.join(names) or 'none'} (SVG, PDF)")
        if looked.details is None:
            lines.append("            learning curves, parts of the test set and alignment maps need the runs")
    return lines


def _beside(options: Namespace) -> Path:
    """In the sweep's folder where one is all that is compared, else here."""
    paths: Sequence[Path] = options.paths
    single = len(paths) == 1 and not options.named and (paths[0] / "sweep.json").exists()
    return (paths[0] if single else Path()) / "comparison.json"


def _into_readme(comparison: dict[str, Any], options: Namespace) -> None:
    from lasasr.artifacts import files
    from lasasr.report.comparison_markdown import between_marks, comparison_markdown

    page = options.readme.read_text(encoding="utf-8")
    files.write_text(options.readme, between_marks(page, _card_in_readme(options), comparison_markdown(comparison)))


def _card_in_readme(options: Namespace) -> str:
    """The name of the card in the marks of the page."""
    source = options.card or options.paths[0]
    return Path(os.path.relpath(source, options.readme.parent)).as_posix()


def print_comparison(comparison: dict[str, Any], markdown: bool) -> None:
    """The table for the terminal, or as Markdown."""
    from rich.console import Console

    from lasasr.report.comparison_markdown import comparison_markdown
    from lasasr.report.comparison_table import comparison_table
    from lasasr.report.part_tables import calibration_table, column_tables

    if markdown:
        print(comparison_markdown(comparison))
        return
    console = Console(file=unescaped(sys.stdout))
    console.print(comparison_table(comparison, console.width))
    if comparison.get("by"):
        console.print(column_tables(comparison))
    if comparison.get("calibration"):
        console.print(calibration_table(comparison["calibration"], comparison["rules"]["level"]))
