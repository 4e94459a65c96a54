"""`lasasr compare`: variants side by side, with what can be believed of their difference."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lasasr.cli.arguments import Parser
from lasasr.cli.closer_look import looked_closer
from lasasr.cli.compare_outputs import check_outputs, print_comparison, write
from lasasr.cli.compare_texts import compared_texts, found_runs, named_paths, run_folder
from lasasr.cli.text_options import OPTIONS as TEXT_OPTIONS
from lasasr.cli.text_options import add_text_options, given_options
from lasasr.errors import LasasrError, PartError, UsageError, nearest

if TYPE_CHECKING:
    from lasasr.comparison.column import Column
    from lasasr.comparison.entries import DecodedRun, RunSelection
    from lasasr.comparison.grouping import SystemRuns
    from lasasr.comparison.race import Race

EPILOG = """\
examples:
  lasasr compare runs/synthetic/las_char/sweep-...            all that the sweep trained
  lasasr compare RUN RUN RUN --baseline attend=dot            each against one
  lasasr compare mwer=RUN,RUN joint=RUN,RUN                   systems of your own: runs that also differ otherwise
  lasasr compare SWEEP --search greedy                        as lasasr evaluate RUN search=greedy decoded each
  lasasr compare SWEEP --html attention.html                  one page: curves, pairs, utterances
  lasasr compare SWEEP --card results/attention.json --readme README.md
  lasasr compare results/attention.json --markdown            the table again, from its card
  lasasr compare SWEEP --latex table.tex --figures figures    for a paper
  lasasr compare --reference ref.trn ours=a.trn,b.trn espnet=exp/decode/test RUN     texts of any toolkit beside runs"""

BUDGETS = ("steps", "train_s", "parameters")


def run(arguments: list[str]) -> int:
    """Compare, print the table, write comparison.json and what else is asked for."""
    options = _parser().read(arguments)
    options.named, options.paths, options.systems = named_paths(options.paths)
    _check(options)

    from lasasr.comparison.card import drawn_from

    finished = _is_comparison(options.paths)
    comparison, details = _read(options) if finished else _compare(options)
    with drawn_from(options.paths[0]) if finished else nullcontext():
        _write_and_print(comparison, details, options)
    return 0


def _write_and_print(
    comparison: dict[str, Any], details: tuple[RunSelection, list[SystemRuns]] | None, options: Namespace
) -> None:
    """Write what is asked for, and print the table."""
    from lasasr.comparison.budget import unmatched

    if unmatched_budgets := unmatched(comparison["budgets"], options.matched or ()):
        raise LasasrError(f"budgets are not matched: {'; '.join(unmatched_budgets)}")
    write(comparison, details, options)
    print_comparison(comparison, options.markdown)


def _check(options: Namespace) -> None:
    """Refuse options that do not go together."""
    if not options.paths and not options.named:
        raise UsageError("there is nothing to compare: give RUN|SWEEP|FILE|NAME=HYP|NAME=RUN (lasasr compare --help)")
    finished = _is_comparison(options.paths)
    if finished and options.named:
        raise UsageError(
            f"{options.paths[0]} is a finished comparison and stands alone; to compare more, name the runs"
        )
    if options.readme is not None and options.card is None and not finished:
        raise UsageError("--readme needs --card FILE, from which its table can be made again")
    if finished:
        _check_finished(options)
    if options.table is not None and options.by is None:
        raise UsageError("--table needs --by COLUMN")
    if options.audio and options.html is None:
        raise UsageError("--audio needs --html FILE")
    if options.maps < 0:
        raise UsageError(f"--maps must be at least 0, got {options.maps}")
    if options.points is not None and not options.points > 0.0:
        raise UsageError(f"--points must be above 0, got {options.points}")
    check_outputs(options, finished)


def _check_finished(options: Namespace) -> None:
    """What a finished comparison cannot be asked for any more."""
    for name in (
        "audio",
        "baseline",
        "split",
        "search",
        "out",
        "any_search",
        "any_corpus",
        "normal_seeds",
        "points",
        "column",
        "by",
        "table",
        "calibrate",
        *TEXT_OPTIONS,
    ):
        if getattr(options, name) not in (None, False):
            option = name.replace("_", "-")
            raise UsageError(f"--{option} needs the runs: {options.paths[0]} is a comparison that was made without it")


def _parser() -> Parser:
    parser = Parser("compare", "Compare systems by their error rates on the same utterances.", EPILOG)
    parser.add_argument(
        "paths", metavar="RUN|SWEEP|FILE|NAME=HYP|NAME=RUN", nargs="*", help="runs, or a system's runs or texts"
    )
    parser.add_argument("--reference", metavar="REF", type=Path, help="of the texts (default: those that they bring)")
    parser.add_argument("--baseline", metavar="NAME|RUN", help="compare each with this: a name, its end, or a run")
    parser.add_argument("--split", help="of the results (default: test, or the only one)")
    parser.add_argument("--search", metavar="NAME", help="of the results, by text or digits (default: the runs' own)")
    parser.add_argument("--markdown", action="store_true", help="print Markdown for a README")
    parser.add_argument("--out", metavar="FILE", type=Path, help="of comparison.json (default: in SWEEP, else here)")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write one page that needs no network")
    parser.add_argument("--maps", metavar="N", type=int, default=6, help="utterances with attention maps (default: 6)")
    parser.add_argument("--audio", action="store_true", help="let the page play these utterances")
    parser.add_argument("--card", metavar="FILE", type=Path, help="write what a published table is made from")
    parser.add_argument("--readme", metavar="FILE", type=Path, help="put the table between its marks in this page")
    parser.add_argument("--any-search", action="store_true", help="also runs decoded by different searches")
    parser.add_argument("--any-corpus", action="store_true", help="also runs on differently configured corpora")
    parser.add_argument("--matched", action="append", choices=BUDGETS, help="refuse budgets that differ by > 2 %%")
    parser.add_argument("--normal-seeds", action="store_true", help="take seeds as normal: 2 against 2 can decide")
    parser.add_argument("--column", action="append", metavar="CLASS", help="one of your own: my.module.Class")
    parser.add_argument("--points", type=float, help="the difference to say needed seeds and utterances for")
    parser.add_argument("--latex", metavar="FILE", type=Path, help="table, caption and methods; sources in FILE's .bib")
    parser.add_argument("--csv", metavar="FILE", type=Path, help="the numbers, a row per system")
    parser.add_argument("--figures", metavar="DIR", type=Path, help="figures for print, as SVG and PDF")
    parser.add_argument("--by", metavar="COLUMN,...", help="error rates by columns of the reference, or of --table")
    parser.add_argument("--table", metavar="FILE", type=Path, help="columns by id of an utterance or a speaker")
    parser.add_argument("--calibrate", action="store_true", help="how often halves of one system are called different")
    add_text_options(parser)
    return parser


def _is_comparison(paths: Sequence[Path]) -> bool:
    """Whether what is given is a card or comparison.json rather than runs."""
    from lasasr.artifacts import files
    from lasasr.comparison.card import is_comparison

    json_paths = [path for path in paths if path.suffix == ".json" and path.is_file()]
    comparisons = [path for path in json_paths if is_comparison(files.read_json(path))]
    if comparisons and len(paths) > 1:
        raise UsageError(f"{comparisons[0]} is a finished comparison and stands alone; to compare more, name the runs")
    return bool(comparisons)


def _own_columns(paths: Sequence[str]) -> list[Column]:
    """The user's columns; their classes lie below what LASASR_ALLOW names.

    Raises:
        UsageError: a path leads to no column, or two have one key.
    """
    from lasasr.configuration import gate, users_parts
    from lasasr.configuration.returned import check_returned
    from lasasr.report.comparison_columns import SHIPPED_COLUMNS

    taken = {column.key for column in SHIPPED_COLUMNS}
    columns: list[Column] = []
    for path in paths:
        make = gate.resolve(path, "column", "--column")
        try:
            column: Column = check_returned(make(), path, "column")
        except LasasrError:
            raise
        except Exception as error:  # whatever a user's constructor raises
            raise PartError(users_parts.fault_of(f"column ({path})", error)) from error
        users_parts.note(column, path, "column")
        if column.key in taken:
            raise UsageError(f"--column {path} has the key {column.key}, which another column has; choose another key")
        taken.add(column.key)
        columns.append(column)
    return columns


def _read(options: Namespace) -> tuple[dict[str, Any], None]:
    from lasasr.comparison.card import read

    return read(options.paths[0]), None


def _compare(options: Namespace) -> tuple[dict[str, Any], tuple[RunSelection, list[SystemRuns]]]:
    from lasasr.comparison.document import document
    from lasasr.comparison.grouping import groups
    from lasasr.comparison.race import notes as race_notes
    from lasasr.comparison.race import repeated
    from lasasr.metrics.significance.verdict import Rules

    if options.named or given_options(options):
        selection, systems, notes, columns = compared_texts(options.named, options.paths, options)
    else:
        columns = {}
        selection = found_runs(options.paths, options)
        systems, notes = groups(selection, options.any_search, options.any_corpus)
    race = _race(options.paths)
    if race is not None:  # the seeds that it did not need are not missing
        selection = replace(selection, missing=[run for run in selection.missing if run.status != "not begun"])
        notes = [*notes, *race_notes(race)]
    baseline = _baseline(options.baseline, systems)
    rules = Rules(trust_normal_seeds=options.normal_seeds, wanted_points=options.points)
    of_race = None if race is None else repeated(race, systems)
    comparison = document(selection, systems, notes, baseline, rules, _own_columns(options.column or ()), of_race)
    return comparison | looked_closer(systems, comparison, rules, columns, options), (selection, systems)


def _race(paths: Sequence[Path]) -> Race | None:
    """The race that the runs are of.

    Raises:
        UsageError: other runs stand beside it, so that its p would not be those of this comparison.
    """
    from lasasr.artifacts import race_file

    raced = [path for path in paths if (path / race_file.FILE).is_file()]
    if not raced:
        return None
    if len(paths) > 1:
        raise UsageError(f"{raced[0]} is a race and is compared alone; to compare its runs with others, name the runs")
    from lasasr.cli.race import stored_race

    return stored_race(raced[0])


def _baseline(wanted: str | None, systems: Sequence[SystemRuns]) -> str | None:
    """The system that is meant: `dot` finds `attend=dot`, and a run folder the system of that run."""
    names = [system.name for system in systems]
    if wanted is None or wanted in names:
        return wanted
    folder = run_folder(wanted)
    if of_run := [name for name, run in _runs(systems) if folder and run.folder and run.folder.resolve() == folder]:
        return of_run[0]
    meant = [name for name in names if wanted in (name.partition("=")[2], *name.split())]
    if len(meant) != 1:
        raise UsageError(f"no system is called {wanted}; {nearest(wanted, names)}")
    return meant[0]


def _runs(systems: Sequence[SystemRuns]) -> Iterator[tuple[str, DecodedRun]]:
    return ((system.name, run) for system in systems for run in system.runs)
