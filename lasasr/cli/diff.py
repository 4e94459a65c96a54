"""`lasasr diff`: what two runs were told, what it did to the error rate, and to which utterances."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lasasr.cli.arguments import Parser
from lasasr.errors import UsageError
from lasasr.escaping import unescaped

if TYPE_CHECKING:
    from lasasr.comparison.entries import DecodedRun

EPILOG = """\
examples:
  lasasr diff RUN RUN
  lasasr diff RUN RUN --split dev --flips 20
  lasasr diff RUN RUN/results/test@greedy-1a2b3c4d.json --any-search      one run under two searches"""


def run(arguments: list[str]) -> int:
    """Print the difference of two runs."""
    parser = Parser("diff", "The differences of two runs: configuration, error rate, utterances.", EPILOG)
    parser.add_argument("runs", metavar="RUN", nargs=2, type=Path, help="run folder or result file")
    parser.add_argument("--split", help="of the results (default: test, or the only one)")
    parser.add_argument("--flips", metavar="N", type=int, default=5, help="utterances shown of each kind (default: 5)")
    parser.add_argument("--any-search", action="store_true", help="also runs decoded by different searches")
    parser.add_argument("--any-corpus", action="store_true", help="also runs on differently configured corpora")
    options = parser.read(arguments)
    if options.flips < 0:
        raise UsageError(f"--flips must be at least 0, got {options.flips}")

    from rich.console import Console

    from lasasr.comparison.comparable import refuse
    from lasasr.comparison.conditions import condition_notes
    from lasasr.comparison.entries import find
    from lasasr.errors import LasasrError
    from lasasr.report.difference import difference

    selection = find(options.runs, options.split)
    if len(selection.runs) != 2:
        unfinished = ", ".join(f"{run.name} is {run.status}" for run in selection.missing)
        raise LasasrError(f"diff takes two finished runs; {unfinished or f'these paths hold {len(selection.runs)}'}")
    notes = refuse(selection.runs, options.any_search, options.any_corpus)
    console = Console(file=unescaped(sys.stdout))
    first, second = selection.runs
    notes += condition_notes([("first", [first]), ("second", [second])])
    for part in difference(first, second, pair(first, second), notes, options.flips, console.width):
        console.print(part)
    return 0


def pair(first: DecodedRun, second: DecodedRun) -> Any:
    """What the statistics say of one run against the other."""
    from lasasr.comparison.grouping import SystemRuns
    from lasasr.metrics.significance.comparison import compare

    systems = [SystemRuns("first", (first,)).system(), SystemRuns("second", (second,)).system()]
    return compare(systems).pairs[0]
